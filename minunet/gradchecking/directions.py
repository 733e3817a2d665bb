"""Random directions: all arguments are moved at once, so the cost does not grow with their size.

Along a unit direction u, phi's slope must be <gradient, u>. One wrong element among many shifts <gradient, u> a
little, so the tolerance is no fixed number: it is what the numeric slope itself is uncertain by, seen from two steps
and from rounding. On failure the direction is halved, and the half that disagrees more is halved again, down to one
element: about log2(elements) further slopes.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.backend import array_module, to_host
from minunet.gradchecking.elements import check_elements
from minunet.gradchecking.numeric import Probe, Slope, move_along, move_element, scale_of
from minunet.gradchecking.pair import flipped
from minunet.gradchecking.report import Finding

STEPS = (1e-5, 1e-6, 1e-7, 1e-8)  # relative to the size of each argument
FLOOR = 1e-8  # relative tolerance that is always granted
SMALL = 2000  # an argument of up to so many numbers is then checked one by one
CEILING = 1e-4  # a slope that is more uncertain than this proves nothing


class Verdict(NamedTuple):
    excess: float  # the disagreement, in units of the tolerance; above 1 is wrong
    error: float  # the disagreement, relative to the slope
    significant: bool  # whether there is a slope at all
    flips: int = 0  # branches that flip across the smallest step ...
    branches: int = 0  # ... of those that were watched


def check_direction(probe: Probe, analytic: dict, direction: dict) -> Verdict:
    """Hold the slope along one direction against what the gradients say it is."""
    expected, size = _project(analytic, direction)
    move = move_along(probe.pair.leaves, direction)
    excess, error, significant, slopes = math.inf, math.inf, False, []
    for step in STEPS:
        slopes.append(probe.slope(move, step))
        if len(slopes) < 2:
            continue
        slope = slopes[-1]
        largest = max(size, abs(slope.value))
        zero = largest <= 10 * slope.rounding
        significant |= not zero
        tolerance = _uncertainty(slope, slopes[-2], size)
        if zero or tolerance <= CEILING * largest:
            miss = abs(slope.value - expected)
            excess, error = min(excess, miss / tolerance), min(error, miss / largest if largest else 0.0)
            if excess <= 1:
                return Verdict(excess, error, significant)
    _, (right, left) = probe.slope(move, STEPS[-1], watch=True)
    return Verdict(excess, error, significant, flipped(right, left), sum(x.size for x in right.values()))


def locate(probe: Probe, analytic: dict, direction: dict) -> Finding:
    """Halve a failing direction until one element is left, and name it."""
    part = {name: slice(0, u.size) for name, u in direction.items()}
    while sum(s.stop - s.start for s in part.values()) > 1:
        part = max(_halves(part), key=lambda half: _miss(probe, analytic, direction, half))
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


def _uncertainty(slope: Slope, coarser: Slope, size: float) -> float:
    return FLOOR * max(size, abs(slope.value)) + abs(slope.value - coarser.value) + 4 * slope.rounding + 1e-300


def _halves(part: dict) -> list[dict]:
    """Split whole arguments first, then the elements of one."""
    if len(part) > 1:
        names = list(part)
        middle = len(names) // 2
        return [{name: part[name] for name in half} for half in (names[:middle], names[middle:])]
    ((name, where),) = part.items()
    middle = (where.start + where.stop) // 2
    return [{name: slice(where.start, middle)}, {name: slice(middle, where.stop)}]


def _miss(probe: Probe, analytic: dict, direction: dict, part: dict) -> float:
    masked = {}
    for name, where in part.items():
        masked[name] = array_module(direction[name]).zeros_like(direction[name])
        masked[name].reshape(-1)[where] = direction[name].reshape(-1)[where]
    expected, _ = _project(analytic, masked)
    slope = probe.slope(move_along(probe.pair.leaves, masked), 1e-6)
    return abs(slope.value - expected)
