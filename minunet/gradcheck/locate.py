"""A failing direction is halved, and the half that disagrees more is halved again, down to one element.

That takes about log2(elements) further measurements for either half. Before that, the gradients of each two arguments
of the same shape are swapped, and <gradient, u> is computed again, which needs no further measurement. If it now agrees
with the measured slope, the two gradients came back in the wrong order.
"""

from itertools import combinations

import numpy as np

from minunet.backend import array_module, to_host
from minunet.gradcheck.directions import Direction, Verdict, along, check_direction
from minunet.gradcheck.elements import check_elements, hint_for_swap
from minunet.gradcheck.moves import ElementMove, size_of
from minunet.gradcheck.report import Finding
from minunet.gradcheck.seed import generator
from minunet.gradcheck.slopes import Probe
from minunet.gradcheck.smooth import STEPS as SMOOTH_STEPS
from minunet.gradcheck.smooth import miss_along

SMALL = 500  # an argument of up to so many numbers is then checked one by one
MANY = 30  # arguments that are looked into, at most
SWAPPED = 1e-6  # relative: chance does not bring <gradient, u> so close


def locate(probe: Probe, analytic: dict, direction: dict, verdict: Verdict) -> list[Finding]:
    """Return the findings for a direction that failed: the worst element, and which other arguments are wrong."""
    swap = _find_swap(probe, analytic, direction, verdict) if verdict.slope else None
    if swap:
        return [Finding("shape", name, hint_for_swap(*swap)) for name in swap]
    found = _find_element(probe, analytic, direction, verdict)
    return found + _find_others(probe, analytic, direction, found[0].argument)


def _find_others(probe: Probe, analytic: dict, direction: dict, known: str | None) -> list[Finding]:
    if len(direction) > MANY:
        return []
    findings = []
    for name, u in direction.items():
        way = along(probe.pair.leaves, {name: u}, analytic)
        if name != known and check_direction(probe, way).kind == "wrong":
            hint = f"It is wrong along a random direction too: mend {known} first, and check again."
            findings.append(Finding("wrong", name, hint))
    return findings


def _find_element(probe: Probe, analytic: dict, direction: dict, verdict: Verdict) -> list[Finding]:
    part = {name: slice(0, u.size) for name, u in direction.items()}
    while sum(s.stop - s.start for s in part.values()) > 1:
        part = max(_halves(part), key=lambda half: _miss(probe, analytic, direction, half, verdict.step))
    ((name, where),) = part.items()
    x = probe.pair.leaves[name]
    if x.size <= SMALL:
        _, findings = check_elements(probe, {name: analytic[name]})
        findings = [finding for finding in findings if finding.kind == "wrong"]
        if findings:
            return findings[:1]
    index = tuple(int(i) for i in np.unravel_index(where.start, x.shape))
    a = float(to_host(analytic[name])[index])
    move = ElementMove(name, x, where.start, a)
    slope = probe.slope(move, 1e-6 * max(size_of(x), abs(move.start)))
    numeric = slope.value if slope else float("nan")
    return [Finding("wrong", name, _explain(probe, analytic, direction, name, verdict.step), index, a, numeric)]


def _find_swap(probe: Probe, analytic: dict, direction: dict, verdict: Verdict) -> tuple[str, str] | None:
    if verdict.slope is None:
        return None
    value = verdict.slope.value
    shares = {name: float((analytic[name] * u).sum()) for name, u in direction.items()}
    for a, b in combinations(direction, 2):
        if analytic[a].shape == analytic[b].shape:
            crossed = float((analytic[a] * direction[b]).sum()) + float((analytic[b] * direction[a]).sum())
            swapped = sum(shares.values()) - shares[a] - shares[b] + crossed
            if abs(swapped - value) <= SWAPPED * max(abs(value), *map(abs, shares.values())):
                return a, b
    return None


def _explain(probe: Probe, analytic: dict, direction: dict, name: str, step: float) -> str:
    """Return a hint: is the whole argument off by one factor?"""
    small = "check this argument on a small case, element by element, to see more."
    ratios = []
    rng = generator(0)
    for _ in range(2):
        signs = array_module(direction[name]).asarray(rng.choice([-1.0, 1.0], direction[name].shape))
        slope = probe.slope(along(probe.pair.leaves, {name: direction[name] * signs}, analytic).move, step)
        if slope is None or not slope.value:
            return f"Found by halving a random direction; {small}"
        ratios.append(slope.expected / slope.value)
    ratio = sum(ratios) / 2
    if abs(ratios[0] - ratios[1]) > 1e-3 * abs(ratio) or abs(ratio - 1) < 1e-2:
        return f"Found by halving a random direction; {small}"
    if abs(ratio + 1) < 1e-3:
        return f"The sign is wrong. Found by halving a random direction; {small}"
    words = "zero" if ratio == 0 else f"about {ratio:.3g} times the numeric gradient"
    return f"As a whole it is {words}. Found by halving a random direction; {small}"


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
    half: Direction = along(probe.pair.leaves, masked, analytic)
    if step >= min(SMOOTH_STEPS):
        return miss_along(probe, half, step)
    slope = probe.slope(half.move, step)
    return 0.0 if slope is None else abs(slope.value - slope.expected)
