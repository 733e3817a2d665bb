"""Element by element: every number of every argument is moved, one at a time."""

from itertools import combinations

import numpy as np

from minunet.backend import to_host
from minunet.gradcheck.hints import explain
from minunet.gradcheck.pair import flipped
from minunet.gradcheck.report import Finding, Row
from minunet.gradcheck.slopes import FIRST_STEP, Probe, ladder, move_element, scale_of

TOLERANCE = 1e-6  # relative, on top of what rounding explains
RESOLVED = 1e-3  # a slope counts if rounding is below this share of it
ENOUGH_WRONG = 20  # elements of one argument that are looked into before the verdict stands


def check_elements(probe: Probe, analytic: dict) -> tuple[list[Row], list[Finding], bool]:
    """Return the table, the findings (wrong, shape, kink), and whether anything but zeros was compared."""
    rows, findings, numerics, significant = [], [], {}, False
    for name, gradient in analytic.items():
        judge = _Judge(probe, probe.pair.leaves[name], to_host(gradient).astype(np.float64))
        judge.run()
        numerics[name] = judge.numeric
        significant |= judge.significant
        rows.append(Row(name, gradient.shape, int(judge.compared.sum()), judge.worst_error()))
        if judge.wrong.any():
            findings.append(_wrong(name, judge))
        if judge.kinks.any():
            findings.append(_kinks(name, judge))
    return rows, _name_swaps(findings, analytic, numerics), significant


class _Judge:
    """The elements of one argument: numeric slopes, and which are wrong, which kinks."""

    def __init__(self, probe: Probe, x, analytic):
        self.probe, self.x, self.analytic = probe, x, analytic
        self.numeric = np.zeros(analytic.shape)
        self.wrong = np.zeros(analytic.shape, bool)
        self.kinks = np.zeros(analytic.shape, bool)
        self.compared = np.ones(analytic.shape, bool)  # False: a kink, or too small to tell from zero
        self.significant = False
        self.size = float(np.abs(analytic).max(initial=0))

    def run(self):
        scale = scale_of(self.x)
        for position in range(self.analytic.size):
            index = np.unravel_index(position, self.analytic.shape)
            a = self.analytic[index]
            move = move_element(self.x, position)
            step = FIRST_STEP * max(scale, abs(float(self.x[index])))
            slope = self.probe.slope(move, step)
            self.numeric[index] = slope.value
            trusted = slope.rounding <= RESOLVED * max(abs(a), abs(slope.value), self.size)
            if trusted and _agrees(a, slope):
                self.significant |= abs(a) > slope.rounding
            elif self.wrong.sum() >= ENOUGH_WRONG:
                self.wrong[index] = True
            else:
                self._climb_down(index, a, move, scale)

    def _climb_down(self, index, a, move, scale):
        """Settle one element that the first step left open."""
        slopes = [self.probe.slope(move, step) for step in ladder(scale)]
        size = max(abs(a), *(abs(slope.value) for slope in slopes))
        noise = min(slope.rounding for slope in slopes)
        if size <= 10 * noise:
            self.compared[index] = False
            return
        resolved = [slope for slope in slopes if slope.rounding <= RESOLVED * size] or [
            min(slopes, key=lambda slope: slope.rounding)
        ]
        closest = min(resolved, key=lambda slope: abs(slope.value - a))
        self.numeric[index] = closest.value
        if _agrees(a, closest):
            self.significant |= abs(a) > noise
            return
        finest = resolved[-1]
        self.numeric[index] = finest.value
        if self._is_kink(move, resolved):
            self.kinks[index], self.compared[index] = True, False
            one_sided = min(abs(a - finest.right), abs(a - finest.left))
            self.significant |= one_sided <= 1e-3 * size  # it is one of the two slopes: worth something
        else:
            self.wrong[index] = True

    def _is_kink(self, move, slopes) -> bool:
        """Tell a kink: the one-sided slopes differ and go on differing, or a watched branch flips at the finest step.

        For a smooth function the gap between the one-sided slopes shrinks with the step.
        """
        finest, coarser = slopes[-1], slopes[max(0, len(slopes) - 3)]
        gap, coarser_gap = (abs(slope.right - slope.left) for slope in (finest, coarser))
        if gap > 0.5 * coarser_gap and gap > 100 * finest.rounding and gap > 1e-3 * abs(finest.value):
            return True
        _, (right, left) = self.probe.slope(move, finest.step, watch=True)
        return flipped(right, left) > 0

    def worst_error(self) -> float:
        difference = np.abs(self.analytic - self.numeric)
        size = np.maximum(np.abs(self.analytic), np.abs(self.numeric)).max(initial=0)
        return float(np.where(self.compared, difference, 0).max(initial=0) / size) if size else 0.0


def _agrees(a: float, slope) -> bool:
    return abs(a - slope.value) <= TOLERANCE * max(abs(a), abs(slope.value)) + slope.rounding


def _wrong(name: str, judge: _Judge) -> Finding:
    difference = np.where(judge.wrong, np.abs(judge.analytic - judge.numeric), 0)
    index = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
    hint = explain(judge.analytic, judge.numeric, judge.wrong)
    return Finding(
        "wrong",
        name,
        hint,
        index,
        float(judge.analytic[index]),
        float(judge.numeric[index]),
        int(judge.wrong.sum()),
        judge.wrong.size,
    )


def _kinks(name: str, judge: _Judge) -> Finding:
    index = tuple(int(i) for i in np.argwhere(judge.kinks)[0])
    hint = "Left out: the function bends there (a ReLU at 0, a tie in a pool), so it has no derivative to compare."
    return Finding(
        "kink",
        name,
        hint,
        index,
        float(judge.analytic[index]),
        float(judge.numeric[index]),
        int(judge.kinks.sum()),
        judge.kinks.size,
    )


def _name_swaps(findings: list[Finding], analytic: dict, numerics: dict) -> list[Finding]:
    """Turn two wrong gradients that are each other's into findings of kind `shape`: the order is wrong."""
    wrong = {finding.argument: finding for finding in findings if finding.kind == "wrong"}
    for a, b in combinations(wrong, 2):
        if _close(analytic[a], numerics[b]) and _close(analytic[b], numerics[a]):
            hint = f"The gradients of {a} and {b} came back in each other's place: return them in the order of the "
            hint += "forward's arguments."
            swapped = [f._replace(kind="shape", hint=hint) for f in (wrong[a], wrong[b])]
            findings = [f for f in findings if f.argument not in (a, b) or f.kind != "wrong"] + swapped
    return findings


def _close(a, b) -> bool:
    a = to_host(a)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max(initial=0))
