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
SHARP = 1e-11  # relative: no need to look further
CLEAR = 4  # a wrong gradient is off by so many times what is explained
NUDGED = 0.1  # a finding must stand at a step that is smaller by this factor


class Look(NamedTuple):
    step: float
    miss: float  # slope - <gradient, u>, extrapolated to h = 0
    tolerance: float  # rounding, and how far the extrapolation can be trusted
    gap: float  # between right and left, extrapolated to h = 0, as far as it is more than rounding

    def is_wrong(self) -> bool:
        return abs(self.miss) > CLEAR * self.tolerance + 2 * self.gap


def look_again(probe: Probe, direction: Direction, verdict: Verdict, scale: float = 1.0) -> Verdict:
    """Return a verdict with a smaller tolerance, if the function is smooth; else the one that there was."""
    if verdict.slope is None or not math.isfinite(verdict.tolerance) or not direction.size:
        return verdict
    gate = probe.slope(direction.move, GATE * scale)
    if gate is None or not _is_the_same(gate, verdict):
        return verdict
    looks = []
    for step in STEPS:
        look = _look(probe, direction, step * scale)
        looks += [look] if look else []
        if look and look.tolerance + look.gap <= SHARP * direction.size:
            break
    if not looks:
        return verdict
    best = min(looks, key=lambda look: look.tolerance + look.gap)
    tolerance = CLEAR * best.tolerance + 2 * best.gap
    if best.is_wrong() and _stands(probe, direction, best):
        return Verdict("wrong", abs(best.miss) / direction.size, best.step, tolerance, gate)
    if tolerance >= verdict.tolerance or best.is_wrong():
        return verdict
    return Verdict("agreement", abs(best.miss) / direction.size, best.step, tolerance, verdict.slope)


def miss_along(probe: Probe, direction: Direction, step: float) -> float:
    """Return how far the slope is from <gradient, u>, as sharply as the step allows."""
    look = _look(probe, direction, step)
    return 0.0 if look is None else abs(look.miss)


def _is_the_same(gate: Slope, verdict: Verdict) -> bool:
    fine = verdict.slope
    blur = 4 * (gate.rounding + fine.rounding) + verdict.tolerance
    return abs((gate.value - gate.expected) - (fine.value - fine.expected)) <= blur


def _look(probe: Probe, direction: Direction, step: float) -> Look | None:
    slopes = [probe.slope(direction.move, factor * step) for factor in (1, 2, 4)]
    if any(slope is None for slope in slopes):
        return None
    misses = [slope.value - slope.expected for slope in slopes]
    near, far = (4 * misses[0] - misses[1]) / 3, (4 * misses[1] - misses[2]) / 3
    rounding = slopes[0].rounding
    gap = abs(2 * (slopes[0].right - slopes[0].left) - (slopes[1].right - slopes[1].left))
    return Look(step, near, abs(near - far) + 2 * rounding, max(0.0, gap - 8 * rounding))


def _stands(probe: Probe, direction: Direction, best: Look) -> bool:
    """Tell whether a miss is the same at a smaller step, so that it is no kink that the larger one stepped over."""
    closer = _look(probe, direction, NUDGED * best.step)
    return closer is not None and abs(closer.miss - best.miss) <= 0.3 * abs(best.miss) + CLEAR * closer.tolerance
