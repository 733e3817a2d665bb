"""A second look with larger steps, where the function is smooth: the smallest errors show only there.

The central difference at a step h is off by about h**2. Two of them, at h and at 2h, cancel that term (Richardson's
extrapolation), so h can be as large as 1e-3, where rounding is a million times smaller than at 1e-9. Three steps tell
how far the extrapolation can be trusted. A kink within reach shows as a gap between right and left that would not
close at h = 0; where there are such kinks, the second look decides nothing.
"""

import math
from typing import NamedTuple

from minunet.gradcheck.directions import Direction, Verdict
from minunet.gradcheck.slopes import Probe, Slope

GATE = 1e-6  # a function that is the same at this step as at the finest ones is taken as smooth, for a start
STEPS = (1e-3, 1e-4, 1e-5)  # relative to the size of each argument
STEPS_ALONE = (1e-3, 1e-1, 1e1, 1e3)
HOPELESS = 1e-4  # relative: a slope that differs so much at the largest step is no use
RESOLVED = 1e-3  # relative: a slope that is so certain tells something about an argument
SHARP = 1e-11  # relative: no need to look further
CLEAR = 4  # a wrong gradient is off by so many times what is explained
NUDGED = 0.1  # a finding must stand at a step that is smaller by this factor


class Look(NamedTuple):
    step: float
    miss: float  # slope - <gradient, u>, extrapolated to h = 0
    tolerance: float  # rounding, and how far the extrapolation can be trusted
    gap: float  # between right and left, extrapolated to h = 0, as far as it is more than rounding

    def blur(self) -> float:
        """Return all that keeps the miss from being certain."""
        return self.tolerance + self.gap

    def is_wrong(self) -> bool:
        return abs(self.miss) > CLEAR * self.tolerance + 2 * self.gap


class Looker:
    """Looks again, and remembers between directions at which steps that is worth the passes."""

    def __init__(self, scale: float = 1.0):
        self.steps = [step * scale for step in STEPS]
        self.gate = GATE * scale

    def look_again(self, probe: Probe, direction: Direction, verdict: Verdict) -> Verdict:
        """Return a verdict with a smaller tolerance, if the function is smooth; else the one that there was."""
        if not self.steps or verdict.slope is None or not math.isfinite(verdict.tolerance) or not direction.size:
            return verdict
        gate = probe.slope(direction.move, self.gate, dependent=probe.reached(direction.move))
        if gate is None or not _is_the_same(gate, verdict.slope, verdict.tolerance):
            self.steps = []
            return verdict
        best = self._best(probe, direction, gate)
        if best is None:
            return verdict
        tolerance = CLEAR * best.tolerance + 2 * best.gap
        if best.is_wrong() and _stands(probe, direction, best):
            return Verdict("wrong", abs(best.miss) / direction.size, best.step, tolerance, gate)
        if tolerance >= verdict.tolerance or best.is_wrong():
            self.steps = []
            return verdict
        return Verdict("agreement", abs(best.miss) / direction.size, best.step, tolerance, verdict.slope)

    def _best(self, probe: Probe, direction: Direction, gate: Slope) -> Look | None:
        looks = []
        for step in self.steps:
            look = _look(probe, direction, step, gate)
            looks += [look] if look else []
            if look and look.blur() <= SHARP * direction.size:
                break
        best = min(looks, key=Look.blur, default=None)
        self.steps = [best.step] if best else []
        return best


def look_alone(probe: Probe, direction: Direction) -> tuple[str, Look] | None:
    """Return agreement or wrong for an argument that hardly shows beside the others, at any step that tells."""
    if direction.size <= probe.rounding_at(probe.reached(direction.move)):
        return None
    for step in STEPS_ALONE:
        look = _look(probe, direction, step)
        if look and CLEAR * look.tolerance + 2 * look.gap <= RESOLVED * direction.size:
            return ("wrong" if look.is_wrong() else "agreement"), look
    return None


def miss_along(probe: Probe, direction: Direction, step: float) -> float:
    """Return how far the slope is from <gradient, u>, as sharply as the step allows."""
    look = _look(probe, direction, step)
    return 0.0 if look is None else abs(look.miss)


def _is_the_same(gate: Slope, fine: Slope, tolerance: float) -> bool:
    blur = 4 * (gate.rounding + fine.rounding) + tolerance
    return abs((gate.value - gate.expected) - (fine.value - fine.expected)) <= blur


def _look(probe: Probe, direction: Direction, step: float, gate: Slope | None = None) -> Look | None:
    """Measure at three steps; not at all if at the largest the slope is far from that at the gate."""
    slopes: list[Slope] = []
    for factor in (4, 2, 1):
        slope = probe.slope(direction.move, factor * step, dependent=probe.reached(direction.move))
        if slope is None or (gate and abs(slope.value - gate.value) > HOPELESS * direction.size):
            return None
        slopes.insert(0, slope)
    misses = [slope.value - slope.expected for slope in slopes]
    near, far = (4 * misses[0] - misses[1]) / 3, (4 * misses[1] - misses[2]) / 3
    rounding = slopes[0].rounding
    gap = abs(2 * (slopes[0].right - slopes[0].left) - (slopes[1].right - slopes[1].left))
    return Look(step, near, abs(near - far) + 2 * rounding, max(0.0, gap - 8 * rounding))


def _stands(probe: Probe, direction: Direction, best: Look) -> bool:
    """Tell whether a miss is the same at a smaller step, so that it is no kink that the larger one stepped over."""
    closer = _look(probe, direction, NUDGED * best.step)
    return closer is not None and abs(closer.miss - best.miss) <= 0.3 * abs(best.miss) + CLEAR * closer.tolerance
