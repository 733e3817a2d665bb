"""The verdict on one element that the first step left open.

It is moved by smaller and larger steps: some on the scale of its argument, some on its own, some on that of 1.

compared   At some step that rounding does not blur, the slope is the gradient, and the two sides agree. Or the slopes
           come to it by one power of the step, as those of max(x, 0)**2 at 0 do, however far they have come.
kink       The slopes to the right and to the left differ, go on differing however small the step, and the gradient lies
           between them.
wrong      Neither, and the slope that can be trusted most is not the gradient.
small      All slopes are blurred by rounding, and so is the gradient: nothing can be compared.
"""

from itertools import pairwise
from math import log
from typing import NamedTuple

from minunet.gradcheck.moves import ElementMove, norm
from minunet.gradcheck.slopes import EPS, Probe, Slope

COMPARED, KINK, WRONG, WRONG_AT_KINK, SMALL, UNREACHED = range(6)
SHARP = 1e-6  # an agreement counts at once if rounding is below this share of the slope
RESOLVED = 1e-3  # a slope tells something if rounding is below this share of it
BENT = 1e-3  # the two sides agree if they differ by less than this share of the slope
RUNGS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)  # steps, relative to each scale
LARGE_RUNGS = (1e-2, 1.0, 1e2, 1e4)  # for slopes that rounding blurs at all the others
SLOWEST = 0.4  # the power of the step by which slopes may come to the gradient: max(x, 0)**1.5 has 0.5
STEADY = 0.05  # what is left at a step of 0 shows as a power that changes with the step by more than this
CLOSE_TO_ZERO = (1e-9, 1e-10, 1e-12, 1e-14, 1e-16, 1e-18, 1e-20)  # steps for a number that is 0
SMALLEST_SCALE = 1e-290  # smaller numbers cannot be moved in proportion to themselves


class Verdict(NamedTuple):
    kind: int
    numeric: float


def agrees(a: float, slope: Slope, tolerance: float) -> bool:
    """Tell whether the slope is `a`, up to the tolerance and to rounding."""
    return abs(a - slope.value) <= tolerance * max(abs(a), abs(slope.value)) + slope.rounding


def is_bent(slope: Slope) -> bool:
    """Tell whether the slopes to the right and to the left differ by more than rounding."""
    return slope.gap() > max(100 * slope.rounding, BENT * max(abs(slope.right), abs(slope.left)))


def lies_between(a: float, slope: Slope, tolerance: float) -> bool:
    """Tell whether `a` is one of the one-sided slopes, or between them."""
    low, high = sorted((slope.right, slope.left))
    margin = max(tolerance, 1e-4) * (high - low) + 4 * slope.rounding
    return low - margin <= a <= high + margin


def settle(
    probe: Probe, move: ElementMove, first: Slope | None, size: float, largest: float, step: float, tolerance: float
) -> Verdict:
    """Climb up and down the ladder of steps until the verdict stands.

    `size` is that of the argument, and `largest` its largest gradient.
    """
    top = max(size, abs(move.start))
    dependent = _dependent(probe, move, top)
    first = first and probe.slope(move, step * top, dependent=dependent)
    a, slopes = move.gradient, [first] if first else []
    is_blurred = first is not None and not _is_resolved(a, first)
    for direction in _ladder(abs(move.start), size, step, is_blurred):
        for rung in direction:
            slope = probe.slope(move, rung, dependent=dependent)
            if slope is None:
                continue
            slopes.append(slope)
            if _is_plain_agreement(a, slope, slopes, tolerance):
                return Verdict(COMPARED, slope.value)
            if direction[0] > direction[-1] and not _is_resolved(a, slope):
                break  # finer steps are blurred even more
    if not slopes:
        return Verdict(UNREACHED, float("nan"))
    slopes.sort()
    settled = _judge(a, slopes, tolerance)
    if settled.kind not in (WRONG, WRONG_AT_KINK):
        return settled
    if _come_to(a, slopes, tolerance * largest):
        return Verdict(COMPARED, slopes[0].value)
    close = _close_to_zero(probe, move, slopes, dependent, largest, tolerance) if move.start == 0 else None
    if close is not None:
        return Verdict(COMPARED, close.value)
    if settled.kind == WRONG and _is_lost(a, slopes, _rounding_of_terms(probe, dependent)):
        return Verdict(SMALL, settled.numeric)
    return settled


def _dependent(probe: Probe, move: ElementMove, top: float):
    """Return a mask of the outputs that change when the element moves by its own size, or on the scale of 1."""
    masks = [mask for step in {top, max(top, 1.0)} if (mask := probe.dependent(move, step)) is not None]
    return masks[0] | masks[-1] if masks else None


def _ladder(own: float, size: float, step: float, is_blurred: bool) -> list[list[float]]:
    """Return the finer steps, from coarse to fine, and the coarser ones, from fine to coarse."""
    top = max(own, size)
    scales = [top, 1.0] + ([own] if own > SMALLEST_SCALE else [])
    steps = {relative * scale for scale in scales for relative in RUNGS}
    if is_blurred:
        steps |= {relative * top for relative in LARGE_RUNGS} | {relative for relative in LARGE_RUNGS if relative <= 1}
    first = step * top
    apart: list[float] = []
    for rung in sorted(steps):
        if all(not 1 / 3 < rung / other < 3 for other in [*apart[-1:], first]):
            apart.append(rung)
    finer, coarser = [rung for rung in reversed(apart) if rung < first], [rung for rung in apart if rung > first]
    return [coarser, finer] if is_blurred else [finer, coarser]


def _is_resolved(a: float, slope: Slope) -> bool:
    return slope.rounding <= RESOLVED * max(abs(a), abs(slope.value), abs(slope.right), abs(slope.left))


def _is_plain_agreement(a: float, slope: Slope, slopes: list[Slope], tolerance: float) -> bool:
    if slope.rounding > SHARP * max(abs(a), abs(slope.value)) or not agrees(a, slope, tolerance):
        return False
    return not is_bent(slope) or any(_closes(slope, other) for other in slopes)


def _closes(fine: Slope, coarse: Slope) -> bool:
    """Tell whether the gap between the two sides shrinks with the step, as it does where there is no kink."""
    return fine.step < 0.2 * coarse.step and fine.gap() < 0.5 * coarse.gap()


def _judge(a: float, slopes: list[Slope], tolerance: float) -> Verdict:
    """Decide from all slopes, fine to coarse."""
    clearest = min(slopes, key=lambda slope: slope.rounding)
    if max(abs(a), abs(clearest.value), clearest.gap()) <= 10 * clearest.rounding:
        return Verdict(SMALL, clearest.value)
    trusted = [slope for i, slope in enumerate(slopes) if not any(_contradicts(f, slope) for f in slopes[:i])]
    resolved = [slope for slope in trusted if _is_resolved(a, slope)] or [min(trusted, key=lambda s: s.rounding)]
    finest, coarser = resolved[0], resolved[min(2, len(resolved) - 1)]
    if len(resolved) > 1 and is_bent(finest) and finest.gap() > 0.5 * coarser.gap():
        return Verdict(KINK if lies_between(a, finest, tolerance) else WRONG_AT_KINK, finest.value)
    best, error = _most_trusted(resolved, trusted)
    size = max(abs(a), abs(best.value))
    is_right = abs(a - best.value) <= tolerance * size + 3 * error
    if is_right and error > RESOLVED * size:
        return Verdict(SMALL, best.value)
    return Verdict(COMPARED if is_right else WRONG, best.value)


def _contradicts(fine: Slope, coarse: Slope) -> bool:
    """Tell whether a finer slope differs from a coarser one by more than rounding: that one steps too far."""
    allowed = 3 * (fine.rounding + coarse.rounding) + 0.1 * max(abs(fine.value), abs(coarse.value))
    return abs(fine.value - coarse.value) > allowed


def _come_to(a: float, slopes: list[Slope], near: float) -> bool:
    """Tell whether the three finest slopes come to `a` by one power of the step, and the finest is near.

    From a wrong gradient they would stay away, so the power would change with the step. This sees no error that is less
    than about a tenth of how far the finest slope still is from `a`, so that must be little: at 0, max(x, 0)**2 still
    has a slope of 1e-9, which no relative error allows, but it is nothing beside the argument's other gradients.
    """
    finest = slopes[:3]
    away = [abs(a - slope.value) for slope in finest]
    if (
        len(finest) < 3
        or away[0] > near
        or any(miss <= 10 * slope.rounding for miss, slope in zip(away, finest, strict=True))
    ):
        return False
    steps = [slope.step for slope in finest]
    fine, coarse = (log(away[i + 1] / away[i]) / log(steps[i + 1] / steps[i]) for i in range(2))
    return fine >= SLOWEST and abs(fine - coarse) <= STEADY


def _close_to_zero(
    probe: Probe, move: ElementMove, slopes: list[Slope], dependent, largest: float, tolerance: float
) -> Slope | None:
    """Return a slope that is the gradient, or comes to it, at steps that only a number that is 0 can make.

    x / max(|x|, 1e-12) has a slope of 1e12 at 0, but no more than 1e8 at a step of 1e-8.
    """
    a, slopes, agreements = move.gradient, list(slopes), 0
    for step in CLOSE_TO_ZERO:
        slope = probe.slope(move, step, dependent=dependent)
        if slope is not None:
            slopes.insert(0, slope)
            agreements = agreements + 1 if a and _is_plain_agreement(a, slope, slopes, tolerance) else 0
            if agreements == 2 or _come_to(a, slopes, tolerance * largest):  # one may be chance: slopes pass by `a`
                return slope
    return None


def _is_lost(a: float, slopes: list[Slope], rounding: float) -> bool:
    """Tell whether `a` and the slopes differ by no more than the rounding of larger terms that cancel in y.

    exp(x) - 1 - x at 0, say: y is 0, but made of ones. From coarse to fine, slopes come to `a` until those ones are all
    that is left of them; and then they contradict each other.
    """
    away = [abs(a - slope.value) for slope in slopes]
    nearest = away.index(min(away))
    if nearest == 0 or away[-1] < 100 * away[nearest] or not _contradicts(slopes[0], slopes[1]):
        return False
    return all(miss * slope.step <= rounding for miss, slope in zip(away[: nearest + 1], slopes, strict=False))


def _rounding_of_terms(probe: Probe, dependent) -> float:
    """Return by how much phi is rounded if its outputs are made of terms of their typical size, or of ones."""
    size = probe.size_of_dy if dependent is None else probe.size_of_dy[dependent]
    return EPS * max(1.0, probe.typical) * norm(size)


def _most_trusted(resolved: list[Slope], trusted: list[Slope]) -> tuple[Slope, float]:
    """Return the slope whose rounding and distance from its neighbour are least, and how large they are."""
    if len(resolved) == 1:
        (only,) = resolved
        finer = [slope for slope in trusted if slope.step < only.step]
        if not finer:
            return only, only.rounding
        neighbour = finer[-1]
        return only, only.rounding + (abs(only.value - neighbour.value) + neighbour.rounding)
    errors = [fine.rounding + abs(fine.value - coarse.value) for fine, coarse in pairwise(resolved)]
    least = min(range(len(errors)), key=errors.__getitem__)
    return resolved[least], errors[least]
