"""Random directions: all arguments are moved at once, so the cost does not grow with their size.

Along a direction u, phi's slope must be <gradient, u>. One wrong element among many shifts <gradient, u> by a little,
so the tolerance is no fixed number: it is what rounding alone can have done to the numeric slope. The verdict:

agreement     The slope of some step (the central one, or to the right or to the left, where a kink lies on the other
              side) is <gradient, u> within that tolerance, and kinks explain why the steps before it did not agree.
wrong         None is, though the central slopes of two steps agree with each other far better than with <gradient, u>,
              and the gap between right and left closes with the step, as it does where the function is smooth; or the
              distance is more than the bends of all outputs together can explain.
open          None is, and no two steps agree with each other: kinks lie too close to tell.
unreached     The output is NaN or infinite at all steps.

A large network has a kink nearby in almost every direction, so the steps begin fine, and get coarser only where
rounding hides the slope. Where the function turns out to be smooth, `smooth.py` looks again with larger steps.
"""

import math
from typing import NamedTuple

from minunet.gradcheck.moves import DirectionMove, size_of
from minunet.gradcheck.slopes import Probe, Slope

STEPS = (1e-8, 1e-9, 1e-7, 1e-6, 1e-5)  # relative to the size of each argument
LARGE_STEPS = (1e-3, 1e-1, 1e1, 1e3)  # where rounding hides the slope at all the others ...
LARGEST_MOVE = 1e-3  # ... as it does if the function lives on the scale of 1 and its arguments are tiny
FLOOR = 1e-8  # relative tolerance that is always granted
CEILING = 1e-4  # a slope that rounding makes more uncertain than this proves nothing
CLEAR = 10  # a wrong gradient is off by so many times the disagreement of two slopes between themselves


class Verdict(NamedTuple):
    kind: str  # agreement, wrong, open or unreached
    error: float  # the disagreement, relative to the slope
    step: float  # where the verdict was reached
    tolerance: float  # the largest disagreement that would have been let pass; infinite if nothing was seen
    slope: Slope | None = None


class Miss(NamedTuple):
    slope: Slope
    distance: float  # from <gradient, u> to the nearest of the three slopes
    tolerance: float
    largest: float  # what distance and tolerance are relative to

    def error(self) -> float:
        return self.distance / self.largest

    def is_agreement(self) -> bool:
        return self.distance <= self.tolerance

    def is_explained_by_kinks(self) -> bool:
        return self.distance <= max(self.slope.gap(), self.slope.bend) + self.tolerance

    def is_beyond_all_kinks(self) -> bool:
        return abs(self.slope.value - self.slope.expected) > 0.55 * self.slope.bend + CLEAR * self.tolerance


class Direction(NamedTuple):
    """A direction as a move, and how large <gradient, u> typically is, by argument and in all."""

    move: DirectionMove
    shares: dict[str, float]

    @property
    def size(self) -> float:
        return math.sqrt(sum(share * share for share in self.shares.values()))


def along(leaves: dict, direction: dict, analytic: dict) -> Direction:
    """Return a direction ready to be checked."""
    shares = {}
    for name, u in direction.items():
        products = (analytic[name] * u).reshape(-1)
        largest = float(abs(products).max()) if products.size else 0.0
        scaled = products / largest if largest else products
        shares[name] = largest * math.sqrt(float(scaled @ scaled))
    return Direction(DirectionMove(leaves, direction, analytic), shares)


def check_direction(probe: Probe, direction: Direction, scale: float = 1.0, floor: float = FLOOR) -> Verdict:
    """Hold the slope along one direction against what the gradients say it is; `scale` multiplies the steps."""
    misses: list[Miss] = []
    is_reached = False
    reached = probe.reached(direction.move)
    hidden = probe.rounding_at(reached)
    for step in STEPS:
        slope = probe.slope(direction.move, step * scale, count_bends=True, dependent=reached)
        is_reached |= slope is not None
        miss = slope and _measure(slope, direction, floor, hidden)
        if not miss:
            continue  # nothing to see at this step but rounding
        if miss.is_agreement() and all(earlier.is_explained_by_kinks() for earlier in misses):
            return Verdict("agreement", miss.error(), miss.slope.step, miss.tolerance, miss.slope)
        if any(_is_clearly_wrong(miss, earlier) for earlier in misses):
            return Verdict("wrong", miss.error(), miss.slope.step, miss.tolerance, miss.slope)
        misses.append(miss)
    if misses:
        finest = min(misses, key=lambda miss: miss.slope.step)
        kind = "wrong" if all(miss.is_beyond_all_kinks() for miss in misses) and _persists(misses) else "open"
        return Verdict(kind, finest.error(), finest.slope.step, finest.tolerance, finest.slope)
    if not is_reached:
        probe.refuse_if_it_failed()
        return Verdict("unreached", math.inf, STEPS[0], math.inf)
    return _check_tiny_arguments(probe, direction, floor)


def _persists(misses: list[Miss]) -> bool:
    """Tell whether the distance does not shrink with the step, as it would if it were curvature."""
    by_step = sorted(misses, key=lambda miss: miss.slope.step)
    return len(misses) > 1 and by_step[0].distance > 0.5 * by_step[-1].distance


def _check_tiny_arguments(probe: Probe, direction: Direction, floor: float) -> Verdict:
    """Look for an agreement at steps that are large beside the arguments, though small beside 1."""
    leaves, reached = probe.pair.leaves, probe.reached(direction.move)
    hidden = probe.rounding_at(reached)
    largest = max(size_of(leaves[name]) for name in direction.shares)
    for step in LARGE_STEPS:
        if step * largest <= LARGEST_MOVE:
            slope = probe.slope(direction.move, step, count_bends=True, dependent=reached)
            miss = slope and _measure(slope, direction, floor, hidden)
            if miss and miss.is_agreement() and miss.slope.gap() < miss.largest:
                return Verdict("agreement", miss.error(), step, miss.tolerance, miss.slope)
    return Verdict("agreement", 0.0, STEPS[0], math.inf)


def _measure(slope: Slope, direction: Direction, floor: float, hidden: float) -> Miss | None:
    """Return how far the slope at one step is from <gradient, u>; None if rounding hides it, here or at any step."""
    largest = max(direction.size, abs(slope.value))
    tolerance = floor * largest + 4 * slope.rounding
    if largest <= max(10 * slope.rounding, hidden) or tolerance > CEILING * largest:
        return None
    distance = min(abs(value - slope.expected) for value in slope.three())
    return Miss(slope, distance, tolerance, largest)


def _is_clearly_wrong(a: Miss, b: Miss) -> bool:
    """Tell whether two steps agree with each other, but not with the gradient, and the function is smooth."""
    fine, coarse = sorted((a, b), key=lambda miss: miss.slope.step)
    disagreement = abs(a.slope.value - b.slope.value) + max(a.tolerance, b.tolerance)
    is_smooth = fine.slope.gap() <= max(fine.tolerance, 0.3 * coarse.slope.gap())
    return is_smooth and min(a.distance, b.distance) > CLEAR * disagreement
