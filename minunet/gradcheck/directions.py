"""Random directions: all arguments are moved at once, so the cost does not grow with their size.

Along a direction u, phi's slope must be <gradient, u>. One wrong element among many shifts <gradient, u> by a little,
so the tolerance is no fixed number: it is what rounding alone can have done to the numeric slope. The verdict:

agreement     The slope of some step (the central one, or to the right or to the left, where a kink lies on the other
              side) is <gradient, u> within that tolerance, and kinks explain why the steps before it did not agree.
wrong         None is, though the central slopes of two steps agree with each other far better than with <gradient, u>,
              and the gap between right and left closes with the step, as it does where the function is smooth.
open          None is, and no two steps agree with each other: kinks lie too close to tell.

A large network has a kink nearby in almost every direction, so the steps begin fine, and get coarser only where
rounding hides the slope. What shifts the gradient by less than about 1e-7 of its norm goes unnoticed. A failing
direction is halved, and the half that disagrees more is halved again, down to one element: about log2(elements)
further slopes.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.backend import array_module, to_host
from minunet.gradcheck.elements import check_elements
from minunet.gradcheck.pair import flipped
from minunet.gradcheck.report import Finding
from minunet.gradcheck.slopes import Probe, Slope, move_along, move_element, scale_of

STEPS = (1e-8, 1e-9, 1e-7, 1e-6, 1e-5)  # relative to the size of each argument
LARGE_STEPS = (1e-3, 1e-1, 1e1, 1e3)  # where rounding hides the slope at all the others ...
LARGEST_MOVE = 1e-3  # ... as it does if the function lives on the scale of 1 and its arguments are tiny
FLOOR = 1e-8  # relative tolerance that is always granted
CEILING = 1e-4  # a slope that rounding makes more uncertain than this proves nothing
CLEAR = 10  # a wrong gradient is off by so many times the disagreement of two slopes between themselves
SMALL = 2000  # an argument of up to so many numbers is then checked one by one


class Verdict(NamedTuple):
    kind: str  # agreement, wrong or open
    error: float  # the disagreement, relative to the slope
    significant: bool  # whether there is a slope at all
    step: float  # where the verdict was reached


class Miss(NamedTuple):
    slope: Slope
    distance: float  # from <gradient, u> to the nearest of the three slopes
    tolerance: float
    largest: float  # what distance and tolerance are relative to
    is_significant: bool  # whether the gradient along the direction is more than rounding

    def error(self) -> float:
        return self.distance / self.largest

    def is_agreement(self) -> bool:
        return self.distance <= self.tolerance

    def is_explained_by_kinks(self) -> bool:
        return self.distance <= self.slope.spread() + self.tolerance


def check_direction(probe: Probe, analytic: dict, direction: dict) -> Verdict:
    """Hold the slope along one direction against what the gradients say it is."""
    move = move_along(probe.pair.leaves, direction)
    misses: list[Miss] = []
    for step in STEPS:
        miss = _measure(probe, analytic, direction, move, step)
        if miss is None:
            continue  # nothing to see at this step but rounding
        if miss.is_agreement() and all(earlier.is_explained_by_kinks() for earlier in misses):
            return Verdict("agreement", miss.error(), miss.is_significant, step)
        if any(_is_clearly_wrong(miss, earlier) for earlier in misses):
            return Verdict("wrong", miss.error(), True, step)
        misses.append(miss)
    if misses:
        return Verdict("open", math.inf, True, STEPS[0])
    return _check_tiny_arguments(probe, analytic, direction, move)


def _check_tiny_arguments(probe: Probe, analytic: dict, direction: dict, move) -> Verdict:
    """Look for an agreement at steps that are large beside the arguments, though small beside 1."""
    scale = max(scale_of(probe.pair.leaves[name]) for name in direction)
    for step in LARGE_STEPS:
        if step * scale <= LARGEST_MOVE:
            miss = _measure(probe, analytic, direction, move, step)
            if miss and miss.is_agreement() and miss.slope.spread() < miss.largest:
                return Verdict("agreement", miss.error(), miss.is_significant, step)
    return Verdict("agreement", 0.0, False, STEPS[0])


def _measure(probe: Probe, analytic: dict, direction: dict, move, step: float) -> Miss | None:
    """Return how far the slope at one step is from <gradient, u>; None if rounding hides it."""
    expected, size = _project(analytic, direction)
    slope = probe.slope(move, step)
    largest = max(size, abs(slope.value))
    tolerance = FLOOR * largest + 4 * slope.rounding
    if largest <= 10 * slope.rounding or tolerance > CEILING * largest:
        return None
    distance = min(abs(value - expected) for value in slope.three())
    return Miss(slope, distance, tolerance, largest, size > 10 * slope.rounding)


def _is_clearly_wrong(a: Miss, b: Miss) -> bool:
    """Tell whether two steps agree with each other, but not with the gradient, and the function is smooth."""
    fine, coarse = sorted((a, b), key=lambda miss: miss.slope.step)
    disagreement = abs(a.slope.value - b.slope.value) + max(a.tolerance, b.tolerance)
    is_smooth = fine.slope.spread() <= max(fine.tolerance, 0.3 * coarse.slope.spread())
    return is_smooth and min(a.distance, b.distance) > CLEAR * disagreement


def count_flips(probe: Probe, direction: dict) -> tuple[int, int]:
    """Return how many watched branches flip within the smallest step along a direction, and of how many."""
    _, (right, left) = probe.slope(move_along(probe.pair.leaves, direction), min(STEPS), watch=True)
    return flipped(right, left), sum(x.size for x in right.values())


def locate(probe: Probe, analytic: dict, direction: dict, step: float) -> Finding:
    """Halve a failing direction until one element is left, and name it."""
    part = {name: slice(0, u.size) for name, u in direction.items()}
    while sum(s.stop - s.start for s in part.values()) > 1:
        part = max(_halves(part), key=lambda half: _miss(probe, analytic, direction, half, step))
    ((name, where),) = part.items()
    x = probe.pair.leaves[name]
    if x.size <= SMALL:
        _, findings, _ = check_elements(probe, {name: analytic[name]})
        findings = [finding for finding in findings if finding.kind == "wrong"]
        if findings:
            return findings[0]
    index = tuple(int(i) for i in np.unravel_index(where.start, x.shape))
    slope = probe.slope(move_element(x, where.start), 1e-6 * max(scale_of(x), abs(float(x[index]))))
    hint = "Found by halving a random direction; check this argument on a small case, element by element, to see more."
    return Finding("wrong", name, hint, index, float(to_host(analytic[name])[index]), slope.value)


def _project(analytic: dict, direction: dict) -> tuple[float, float]:
    """Return <gradient, u>, and the size that it typically has."""
    products = [(to_host(analytic[name]) * to_host(u)).ravel() for name, u in direction.items()]
    return math.fsum(float(p.sum()) for p in products), math.sqrt(sum(float(p @ p) for p in products))


def _halves(part: dict) -> list[dict]:
    """Split whole arguments first, then the elements of one."""
    if len(part) > 1:
        names = list(part)
        middle = len(names) // 2
        return [{name: part[name] for name in half} for half in (names[:middle], names[middle:])]
    ((name, where),) = part.items()
    middle = (where.start + where.stop) // 2
    return [{name: slice(where.start, middle)}, {name: slice(middle, where.stop)}]


def _miss(probe: Probe, analytic: dict, direction: dict, part: dict, step: float) -> float:
    masked = {}
    for name, where in part.items():
        masked[name] = array_module(direction[name]).zeros_like(direction[name])
        masked[name].reshape(-1)[where] = direction[name].reshape(-1)[where]
    expected, _ = _project(analytic, masked)
    slope = probe.slope(move_along(probe.pair.leaves, masked), step)
    return abs(slope.value - expected)
