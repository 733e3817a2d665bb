"""Random directions: all arguments are moved at once, so the cost does not grow with their size.

Along a direction u, phi's slope must be <gradient, u>. One wrong element among many shifts <gradient, u> by a little,
so the tolerance is no fixed number: it is what rounding alone can have done to the numeric slope. The verdict:

agreement     The slope of some step (the central one, or to the right or to the left, where a kink lies on the other
              side) is <gradient, u> within that tolerance. No wrong gradient gets there by chance.
wrong         None is, and at some step the three slopes agree with each other far better than with <gradient, u>.
open          None is, and they do not agree with each other: kinks lie too close to tell.

A large network has a kink nearby in almost every direction, so the steps begin fine, and get coarser only where
rounding hides the slope. A failing direction is halved, and the half that disagrees more is halved again, down to one
element: about log2(elements) further slopes.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.backend import array_module, to_host
from minunet.gradchecking.elements import check_elements
from minunet.gradchecking.numeric import Probe, move_along, move_element, scale_of
from minunet.gradchecking.pair import flipped
from minunet.gradchecking.report import Finding

STEPS = (1e-8, 1e-9, 1e-7, 1e-6, 1e-5)  # relative to the size of each argument
FLOOR = 1e-8  # relative tolerance that is always granted
CEILING = 1e-4  # a slope that rounding makes more uncertain than this proves nothing
CLEAR = 10  # a wrong gradient is off by so many times the disagreement of the slopes among themselves
SMALL = 2000  # an argument of up to so many numbers is then checked one by one


class Verdict(NamedTuple):
    kind: str  # agreement, wrong or open
    error: float  # the disagreement, relative to the slope
    significant: bool  # whether there is a slope at all
    step: float  # where the verdict was reached


def check_direction(probe: Probe, analytic: dict, direction: dict) -> Verdict:
    """Hold the slope along one direction against what the gradients say it is."""
    expected, size = _project(analytic, direction)
    move = move_along(probe.pair.leaves, direction)
    clearest, is_zero = Verdict("open", math.inf, False, STEPS[0]), True
    best = CLEAR
    for step in STEPS:
        slope = probe.slope(move, step)
        largest = max(size, abs(slope.value))
        tolerance = FLOOR * largest + 4 * slope.rounding
        if largest <= 10 * slope.rounding or tolerance > CEILING * largest:
            continue  # nothing to see at this step but rounding
        is_zero = False
        miss = min(abs(value - expected) for value in slope.three())
        if miss <= tolerance:
            return Verdict("agreement", miss / largest, True, step)
        clearness = miss / (tolerance + slope.spread())
        if clearness > best:
            best, clearest = clearness, Verdict("wrong", miss / largest, True, step)
    return Verdict("agreement", 0.0, False, STEPS[0]) if is_zero else clearest


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
