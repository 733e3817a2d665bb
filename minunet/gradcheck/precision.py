"""Does a pair compute with fewer digits than float64 has? Then differences of its outputs are differences of rounding.

Three causes are told apart. A cast: arrays are float32 or coarser somewhere inside. Quantisation: the output is a
staircase, flat on every step. Cancellation: digits are lost in a difference of large numbers, or in a system of
equations that is nearly singular.
"""

import numpy as np

from minunet.backend import array_module, flatten
from minunet.gradcheck.moves import DirectionMove, random_direction
from minunet.gradcheck.report import Finding

EPS = np.finfo(np.float64).eps
NUDGE, PUSH = 1e-7, 1e-2  # relative: about float32's spacing; and large enough to change any rounded number
SMALLER_NUDGE = 1e-9  # crosses hardly any kinks, even those of the full-size network
STRIDE = 1e-6  # changes every float32 number, and hardly any quantised one
LEAP = 1.0  # takes most numbers to another level of a quantiser
LEVELS = 10  # bits between the smallest step and the largest number: a quantiser of 8 bits, and no float16, has fewer
NARROW, JUMP = 1e-13, 1e-3  # an output jumps if it changes by this share of its leap within so little
KINKED = 0.1  # relative: an output that changes so much within three nudges lies at a kink
SHORT = 4  # bits: numbers such as 1, 0.5 or -3 prove nothing, any precision holds them
COARSE = 1e-10  # relative rounding that float64 stays far below, and float32 far above
SUSPECT = 1e-13  # more than float64 explains: rounding, or kinks?
CAST = "It computes in low precision inside, so nothing can be told: remove casts such as .astype('float32')."
STAIRCASE = (
    "It is quantised: the output is a staircase of its arguments (round, floor, a sign, 8 bits), whose slope is zero "
    "or infinite, so nothing can be told. A straight-through gradient is a choice, not the slope: check the layer "
    "without its rounding, and the rounding's rule by hand."
)
CANCELLATION = (
    "Digits are lost inside, so nothing can be told, though no array is in low precision: is a small number the "
    "difference of two large ones, or a matrix nearly singular? Rewrite the formula, or choose other arguments. (A "
    "cast of an intermediate result looks the same.)"
)
SCALES = (
    "An argument holds numbers of very different sizes: a small step for one is a large one for another, so nothing "
    "can be told along directions. Check it with mode='elements', or bring its numbers to one scale."
)


def examine_precision(pair, rng, is_joint: bool = False) -> tuple[float, list[Finding]]:
    """Return the relative rounding error of the output, and a finding if it is far above that of float64.

    The output is sampled at 0, 1, 2 and 3 nudges and at one push along a random direction. A large network crosses
    kinks within a nudge, which looks like rounding, but unlike rounding goes away with a smaller nudge. So does the
    curvature of an argument that holds numbers of very different sizes, if each is nudged in proportion to itself:
    then they can be checked one by one, but not jointly.
    """
    low = [dtype for dtype in pair.outputs.dtypes.values() if dtype.kind == "f" and np.finfo(dtype).eps > EPS]
    if low:
        return 0.0, [Finding("precision", "y", f"The output is {low[0]} for float64 arguments. {CAST}")]
    move = DirectionMove(pair.leaves, random_direction(rng, pair.leaves))
    start = pair.y
    nudged, twice, thrice, pushed = (_output(pair, move, step) for step in (NUDGE, 2 * NUDGE, 3 * NUDGE, PUSH))
    noise = _rounding(start, nudged, twice, thrice)
    if noise > SUSPECT:
        fine = _noise(pair, move, SMALLER_NUDGE)
        noise = noise if noise > COARSE and fine < noise and _is_everywhere(pair, move) else min(noise, fine)
    if pushed is None or nudged is None:
        return noise, []
    changed = pushed != start
    if _is_rounded(values := pushed[changed & (pushed != 0)]):
        is_quantised = _levels(values) <= LEVELS and is_staircase(pair, move)
        return noise, [Finding("precision", "y", STAIRCASE if is_quantised else CAST)]
    stuck = (nudged == start) & changed & (abs(pushed - start) > 1e-6 * abs(start))
    if noise > COARSE or float(stuck.sum()) > 0.5 * float(changed.sum()):
        if is_staircase(pair, move):
            return noise, [Finding("precision", "y", STAIRCASE)]
        if _has_a_cast(pair, move):
            return noise, [Finding("precision", "y", CAST)]
        if noise > COARSE:
            own = _noise(pair, DirectionMove(pair.leaves, random_direction(rng, pair.leaves, own_scale=True)), NUDGE)
            if not 0 < own <= COARSE:
                return noise, [Finding("precision", "y", CANCELLATION)]
            return own, [Finding("precision", "y", SCALES)] if is_joint else []
    return noise, []


def low_precision_gradients(pair, dy, analytic: dict, rng) -> list[Finding]:
    """Return a finding for each gradient that holds nothing but numbers rounded to float32."""
    if any(_is_low(gradient) for gradient in analytic.values()):
        # Perhaps it is dy that is rounded: only a random one tells.
        analytic = pair.gradients(array_module(dy).asarray(rng.standard_normal(dy.shape)))
    return [
        Finding("precision", name, f"Its gradient ({gradient.dtype}) is rounded to float32. {CAST}")
        for name, gradient in analytic.items()
        if _is_low(gradient)
    ]


def is_staircase(pair, move: DirectionMove) -> bool:
    """Tell whether the output is flat here and, on another level, flat after a leap."""
    outputs = [_output(pair, move, step) for step in (0.0, STRIDE, LEAP, LEAP + STRIDE)]
    if any(output is None for output in outputs):
        return False
    here, near, there, near_there = outputs
    with np.errstate(all="ignore"):
        moved = (here != there) & (STRIDE * abs(there - here) > 1e-15 * (abs(there) + abs(here)))
    if _share(moved) <= 0.5:
        return False  # or it changes so little that the stride is lost in rounding
    if _share((here == near)[moved]) <= 0.5 or _share((there == near_there)[moved]) <= 0.5:
        return False
    return _jumps(pair, move, int(abs(there - here).argmax()))


def _jumps(pair, move: DirectionMove, position: int) -> bool:
    """Tell whether one output jumps from its level to that after a leap; a tanh far from zero climbs, if steeply."""
    low, high = 0.0, LEAP
    below, above = (_output(pair, move, step) for step in (low, high))
    total = abs(above[position] - below[position])
    while high - low > NARROW:
        middle = (low + high) / 2
        between = _output(pair, move, middle)
        if between is None:
            return False
        if abs(between[position] - below[position]) >= abs(above[position] - between[position]):
            high, above = middle, between
        else:
            low, below = middle, between
    return bool(abs(above[position] - below[position]) > JUMP * total)


def name_staircases(pair, analytic: dict, findings: list[Finding], rng) -> list[Finding]:
    """Turn `wrong` and `vacuous` into `precision` where an argument goes through a quantiser.

    Where all its gradients are zero it stays `vacuous`: a saturated softmax, say, leaps from one level to another, too.
    """
    named = []
    for finding in findings:
        is_open = finding.kind == "vacuous" or (finding.kind == "wrong" and finding.numeric == 0)
        names = pair.arguments.own(finding.argument) if finding.argument in pair.arguments.names else []
        if is_open and any(analytic[name].any() for name in names):
            leaves = {name: pair.leaves[name] for name in names}
            if is_staircase(pair, DirectionMove(leaves, random_direction(rng, leaves))):
                finding = Finding("precision", finding.argument, STAIRCASE)
        named.append(finding)
    return named


def _noise(pair, move: DirectionMove, nudge: float, origin: float = 0.0) -> float:
    return _rounding(*(_output(pair, move, origin + i * nudge) for i in range(4)))


def _is_everywhere(pair, move: DirectionMove) -> bool:
    """Tell whether there is the same rounding elsewhere, and with larger nudges, which would cross more kinks."""
    small, large = (_noise(pair, move, nudge, PUSH) for nudge in (NUDGE, 10 * NUDGE))
    return small > COARSE and large < 3 * small


def _has_a_cast(pair, move: DirectionMove) -> bool:
    """Tell whether rounding the arguments to float32 changes nothing, or float32 arrays lie in the cache.

    It proves nothing where a stride, which is more than that rounding, changes hardly anything either: a saturated
    tanh, say.
    """
    _, cache = pair.forward()
    kinds = {x.dtype for x in flatten(cache).values() if hasattr(x, "dtype")}
    if kinds & {np.dtype(np.float32), np.dtype(np.float16)}:
        return True
    beside = _output(pair, move, PUSH + STRIDE)
    move.to(PUSH)
    exact = _output(pair, None)
    for name in move.direction:
        with np.errstate(all="ignore"):
            pair.leaves[name][...] = pair.leaves[name].astype(np.float32)
    rounded = _output(pair, None)
    move.to(0.0)
    if exact is None or rounded is None or beside is None:
        return False
    changed = exact != pair.y
    return bool((exact == rounded).all()) and _share((exact != beside)[changed]) > 0.5


def _is_low(gradient) -> bool:
    return gradient.dtype not in (np.float64, np.longdouble) or _is_rounded(gradient[gradient != 0])


def _rounding(a, b, c, d) -> float:
    """Return the relative rounding error of an output sampled at equal tiny steps.

    The third differences of a smooth function are of the order step**3; what exceeds that is rounding. The median
    over the elements that change ignores the few that cross a kink; those that change a lot lie at one, unless all do.
    """
    if any(output is None for output in (a, b, c, d)):
        return 0.0
    xp = array_module(a)
    changed = (a != d) & (a != 0) & xp.isfinite(a) & xp.isfinite(b) & xp.isfinite(c) & xp.isfinite(d)
    if not changed.any():
        return 0.0
    with np.errstate(all="ignore"):
        size = xp.maximum(xp.maximum(xp.abs(a), xp.abs(b)), xp.maximum(xp.abs(c), xp.abs(d)))
        steady = changed & (xp.abs(d - a) <= KINKED * size)
        chosen = steady if steady.any() else changed
        third = xp.abs(d - 3 * c + 3 * b - a)[chosen] / size[chosen]
    return float(xp.median(third)) / np.sqrt(20)  # the third difference of unit noise has variance 1 + 9 + 9 + 1


def _output(pair, move: DirectionMove | None, step: float = 0.0):
    """Return the output at a step along a direction; None if the forward pass fails there."""
    if move is not None:
        move.to(step)
    try:
        with np.errstate(all="ignore"):
            return pair.output()
    except Exception:  # outside the pair's domain; the comparison itself will say so where it matters
        return None
    finally:
        if move is not None:
            move.to(0.0)


def _share(mask) -> float:
    return float(mask.mean()) if mask.size else 0.0


def _is_rounded(values) -> bool:
    """Tell whether all of these float64 numbers are float32 numbers, which chance gives once in 2**29."""
    xp = array_module(values)
    if not values.size:
        return False
    mantissa = 2.0**SHORT * xp.frexp(values)[0]
    with np.errstate(over="ignore"):
        is_single = values.astype(np.float32) == values
    return bool(is_single.all()) and not bool((mantissa == xp.rint(mantissa)).all())


def _levels(values) -> float:
    """Return how many bits lie between the largest of these float32 numbers and the smallest step they are made of."""
    xp = array_module(values)
    mantissa, exponent = xp.frexp(values)
    whole = xp.abs(mantissa * 2.0**24).astype(np.int64)
    lowest_bit = xp.log2((whole & -whole).astype(np.float64)) - 24
    return float(exponent.max() - (exponent + lowest_bit).min())
