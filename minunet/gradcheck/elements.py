"""Element by element: every number of every argument is moved, one at a time."""

from dataclasses import replace
from itertools import combinations

import numpy as np

from minunet.backend import to_host
from minunet.gradcheck import one_element as verdict
from minunet.gradcheck.hints import explain
from minunet.gradcheck.moves import ElementMove, norm, size_of
from minunet.gradcheck.report import Finding, Row
from minunet.gradcheck.slopes import Probe

TOLERANCE = 1e-6  # relative, on top of what rounding explains
FIRST_STEP = 1e-6  # relative to the size of the argument: near the best compromise for float64
LARGER = (10, 100)  # times the first step, where rounding is smaller
CURVED = 1e-4  # relative: a slope that differs so much from the first tells nothing more
ENOUGH_WRONG = 10  # elements of one argument that are looked into before the verdict stands
ENOUGH_KINKS = 40
ENOUGH_SMALL = 20


def check_elements(
    probe: Probe, analytic: dict, step=FIRST_STEP, tolerance=TOLERANCE
) -> tuple[list[Row], list[Finding]]:
    """Return the table and the findings: wrong, shape (swapped gradients), kink, vacuous, nonfinite."""
    rows: list[Row] = []
    findings: list[Finding] = []
    numerics: dict[str, np.ndarray] = {}
    vacuities: dict[str, list] = {}
    for name, gradient in analytic.items():
        judge = Judge(probe, name, to_host(gradient).astype(np.float64), step, tolerance)
        judge.run()
        numerics[name] = judge.numeric
        rows.append(Row(name, gradient.shape, judge.compared(), judge.worst_error()))
        findings += judge.findings()
        vacuities.setdefault(probe.pair.arguments.owner(name), []).append(judge.is_vacuous())
    findings += [vacuous(owner) for owner, vacuous_ones in vacuities.items() if all(vacuous_ones)]
    return rows, _name_swaps(findings, analytic, numerics)


class Judge:
    """The elements of one argument: their numeric slopes, and the verdict on each."""

    def __init__(self, probe: Probe, name: str, analytic: np.ndarray, step: float, tolerance: float):
        self.probe, self.name, self.analytic, self.step, self.tolerance = probe, name, analytic, step, tolerance
        self.x = probe.pair.leaves[name]
        self.largest = float(np.abs(analytic).max(initial=0)) or norm(probe.size_of_dy)
        self.numeric = np.zeros(analytic.shape)
        self.kinds = np.full(analytic.shape, verdict.COMPARED)
        self.counts = dict.fromkeys(range(6), 0)  # verdicts that were looked into

    def run(self) -> None:
        size = size_of(self.x)
        analytic, numeric, kinds = (array.reshape(-1) for array in (self.analytic, self.numeric, self.kinds))
        for position in range(analytic.size):
            move = ElementMove(self.name, self.x, position, float(analytic[position]))
            scale = max(size, abs(move.start))
            first = self.probe.slope(move, self.step * scale)
            settled = self._first_verdict(move, first, scale) or self._settle(move, first, size)
            kinds[position], numeric[position] = settled
        if (kinds == verdict.UNREACHED).any():
            self.probe.refuse_if_it_failed()

    def is_vacuous(self) -> bool:
        """Tell whether nothing but zeros, and nothing that is certain, was compared."""
        if not self.analytic.size:
            return False
        is_wrong = (self.kinds == verdict.WRONG) | (self.kinds == verdict.WRONG_AT_KINK)
        return not is_wrong.any() and not (self.analytic[self.kinds == verdict.COMPARED] != 0).any()

    def compared(self) -> int:
        left_out = (verdict.KINK, verdict.SMALL, verdict.UNREACHED)
        return 0 if self.is_vacuous() else int((~np.isin(self.kinds, left_out)).sum())

    def worst_error(self) -> float:
        """Return the largest error, relative to the largest gradient of the argument."""
        is_compared = np.isin(self.kinds, (verdict.COMPARED, verdict.WRONG, verdict.WRONG_AT_KINK))
        if not is_compared.any():
            return 0.0
        analytic, numeric = self.analytic[is_compared], self.numeric[is_compared]
        size = np.maximum(np.abs(analytic), np.abs(numeric)).max()
        return float(np.abs(analytic - numeric).max() / size) if size else 0.0

    def findings(self) -> list[Finding]:
        found = []
        if (is_wrong := (self.kinds == verdict.WRONG) | (self.kinds == verdict.WRONG_AT_KINK)).any():
            at_kinks = not (self.kinds == verdict.WRONG).any()
            found.append(
                self._finding("wrong", _hint_at_kinks() if at_kinks else self._explanation(is_wrong), is_wrong)
            )
        if (kinks := self.kinds == verdict.KINK).any():
            found.append(self._finding("kink", _hint_for_kinks(self.counts[verdict.KINK], int(kinks.sum())), kinks))
        if (unreached := self.kinds == verdict.UNREACHED).any():
            hint = "The output is NaN or infinite wherever these elements are moved: choose a point inside the domain."
            index = tuple(int(i) for i in np.argwhere(unreached)[0])
            found.append(Finding("nonfinite", self.name, hint, index, count=int(unreached.sum()), total=unreached.size))
        return found

    def _first_verdict(self, move: ElementMove, first, scale: float) -> verdict.Verdict | None:
        if first is None:
            return None
        a = move.gradient
        size = max(abs(a), abs(first.value))
        is_sharp = first.rounding <= verdict.RESOLVED * size
        if is_sharp and verdict.agrees(a, first, self.tolerance) and not verdict.is_bent(first):
            return self._sharper_verdict(move, first, scale)
        if verdict.is_bent(first) and verdict.lies_between(a, first, self.tolerance):
            return verdict.Verdict(verdict.KINK, first.value) if self.counts[verdict.KINK] >= ENOUGH_KINKS else None
        is_hidden = size <= self.probe.rounding_of_all / first.step
        if is_hidden and self.counts[verdict.SMALL] >= ENOUGH_SMALL:
            return verdict.Verdict(verdict.SMALL, first.value)
        if is_sharp and self.counts[verdict.WRONG] + self.counts[verdict.WRONG_AT_KINK] >= ENOUGH_WRONG:
            return verdict.Verdict(verdict.WRONG, first.value)
        return None

    def _sharper_verdict(self, move: ElementMove, first, scale: float) -> verdict.Verdict | None:
        """Return the verdict on an element that agrees, at a larger step if rounding could hide a small error."""
        a, best = move.gradient, first
        for factor in LARGER:
            if best.rounding <= self.tolerance * abs(a):
                break
            larger = self.probe.slope(move, factor * self.step * scale)
            if larger is None or verdict.is_bent(larger) or not verdict.agrees(larger.value, first, CURVED):
                break  # it is curved, or a kink is near
            if not verdict.agrees(a, larger, self.tolerance):
                return None
            best = larger
        return verdict.Verdict(verdict.COMPARED, best.value)

    def _settle(self, move: ElementMove, first, size: float) -> verdict.Verdict:
        settled = verdict.settle(self.probe, move, first, size, self.largest, self.step, self.tolerance)
        if settled.kind == verdict.WRONG and self._is_rounding(move, settled.numeric, size):
            settled = verdict.Verdict(verdict.SMALL, settled.numeric)
        self.counts[settled.kind] += 1
        return settled

    def _is_rounding(self, move: ElementMove, numeric: float, size: float) -> bool:
        """Tell whether a move by the argument's whole size would change phi by less than rounding does.

        So small is what is left of a gradient whose terms cancel, as that of a bias before a batch norm.
        """
        distance = max(size, abs(move.start))
        return max(abs(move.gradient), abs(numeric)) * distance <= self.probe.rounding_of_all

    def _explanation(self, is_wrong) -> str:
        repeats = self.probe.pair.arguments.repeats()
        return explain(self.analytic, self.numeric, is_wrong, to_host(self.x), repeats)

    def _finding(self, kind: str, hint: str, concerned: np.ndarray) -> Finding:
        """Return a finding with the worst of the elements concerned, or the first of the kinks."""
        error = np.where(concerned, np.abs(self.analytic - self.numeric) if kind == "wrong" else 1.0, -1.0)
        index = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
        numbers = float(self.analytic[index]), float(self.numeric[index])
        return Finding(kind, self.name, hint, index, *numbers, int(concerned.sum()), concerned.size)


def vacuous(name: str | None) -> Finding:
    """Return the finding that nothing was proved about an argument."""
    hint = "Nothing was compared that is not zero, so any backward pass that returns zeros would do: choose other "
    return Finding("vacuous", name, hint + "arguments, or a random dy.")


def _hint_for_kinks(looked_into: int, count: int) -> str:
    hint = "Left out: the function bends there (a ReLU at 0, a tie in a pool), so it has no derivative to compare."
    return hint if looked_into >= count else f"{hint} {looked_into} of them were looked into, at ever smaller steps."


def _hint_at_kinks() -> str:
    hint = "The function bends there, and the gradient lies neither between the slope to the right and that to the "
    return hint + "left, nor is it one of them: what does the backward pass do at exact zeros and ties?"


def _name_swaps(findings: list[Finding], analytic: dict, numerics: dict) -> list[Finding]:
    """Turn two wrong gradients that are each other's into findings of kind `shape`: the order is wrong."""
    wrong = {str(finding.argument): finding for finding in findings if finding.kind == "wrong"}
    for a, b in combinations(wrong, 2):
        if _close(analytic[a], numerics[b]) and _close(analytic[b], numerics[a]):
            swapped = [replace(f, kind="shape", hint=hint_for_swap(a, b)) for f in (wrong[a], wrong[b])]
            findings = [f for f in findings if f.argument not in (a, b) or f.kind != "wrong"] + swapped
    return findings


def hint_for_swap(a: str, b: str) -> str:
    """Return the hint for two gradients that came back in the wrong order."""
    hint = f"The gradients of {a} and {b} came back in each other's place: return them in the order of the "
    return hint + "forward's arguments."


def _close(a, b) -> bool:
    a = to_host(a)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max(initial=0))
