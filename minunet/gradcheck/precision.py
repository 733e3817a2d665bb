"""Does a pair compute in less than float64 inside? Then differences of its outputs are differences of rounding."""

import numpy as np

from minunet.backend import array_module
from minunet.gradcheck.report import Finding
from minunet.gradcheck.slopes import move_along, random_direction

NUDGE, PUSH = 1e-7, 1e-2  # relative: about float32's spacing; and large enough to change any rounded number
SMALLER_NUDGE = 1e-9  # crosses hardly any kinks, even those of the full-size network
SHORT = 4  # bits: numbers such as 1, 0.5 or -3 prove nothing, any precision holds them
COARSE = 1e-10  # relative rounding that float64 stays far below, and float32 far above
SUSPECT = 1e-13  # more than float64 explains: rounding, or kinks?
HINT = "It computes in low precision inside, so nothing can be told: remove casts such as .astype('float32')."


def examine_precision(pair, y, rng) -> tuple[float, list[Finding]]:
    """Return the relative rounding error of the output, and a finding if that of float32 or coarser shows in it.

    The output is sampled at 0, 1, 2 and 3 nudges and at one push along a random direction. A large network crosses
    kinks within a nudge, which looks like rounding, but unlike rounding goes away with a smaller nudge.
    """
    xp = array_module(y)
    if xp.asarray(y).dtype != np.float64:
        return 0.0, [Finding("precision", "y", f"The output is {xp.asarray(y).dtype} for float64 arguments. {HINT}")]
    start = xp.atleast_1d(y)
    direction = random_direction(rng, pair.leaves)
    nudged, twice, thrice, pushed = _outputs(pair, direction, (NUDGE, 2 * NUDGE, 3 * NUDGE, PUSH))
    noise = _rounding(start, nudged, twice, thrice)
    if noise > SUSPECT:
        smaller = _outputs(pair, direction, (SMALLER_NUDGE, 2 * SMALLER_NUDGE, 3 * SMALLER_NUDGE))
        noise = min(noise, _rounding(start, *smaller))
    changed = pushed != start
    stuck = (nudged == start) & changed & (xp.abs(pushed - start) > 1e-6 * xp.abs(start))
    is_coarse = (
        noise > COARSE
        or _is_rounded(pushed[changed & (pushed != 0)])
        or float(stuck.sum()) > 0.5 * float(changed.sum())
    )
    return noise, [Finding("precision", "y", HINT)] if is_coarse else []


def low_precision_gradients(pair, dy, cache, analytic: dict, rng) -> list[Finding]:
    """Return a finding for each gradient that holds nothing but numbers rounded to float32."""
    if any(_is_low(gradient) for gradient in analytic.values()):
        # Perhaps it is dy that is rounded: only a random one tells.
        analytic, _ = pair.backward(array_module(dy).asarray(rng.standard_normal(dy.shape)), cache)
    return [
        Finding("precision", name, f"Its gradient ({gradient.dtype}) is rounded to float32. {HINT}")
        for name, gradient in analytic.items()
        if _is_low(gradient)
    ]


def _is_low(gradient) -> bool:
    return gradient.dtype != np.float64 or _is_rounded(gradient[gradient != 0])


def _rounding(a, b, c, d) -> float:
    """Return the relative rounding error of an output sampled at equal tiny steps.

    The third differences of a smooth function are of the order step**3; what exceeds that is rounding. The median
    over the elements that change ignores the few that cross a kink.
    """
    xp = array_module(a)
    changed = (a != d) & (a != 0)
    if not changed.any():
        return 0.0
    third = xp.abs(d - 3 * c + 3 * b - a)[changed] / xp.abs(a)[changed]
    return float(xp.median(third)) / np.sqrt(20)  # the third difference of unit noise has variance 1 + 9 + 9 + 1


def _outputs(pair, direction: dict, steps) -> list:
    """Return copies of the output at steps along a direction."""
    move = move_along(pair.leaves, direction)
    outputs = []
    for step in steps:
        move(step)
        y, _ = pair.forward()
        outputs.append(array_module(y).atleast_1d(y).copy())
    move(0.0)
    return outputs


def _is_rounded(values) -> bool:
    """Tell whether all of these float64 numbers are float32 numbers, which chance gives once in 2**29."""
    xp = array_module(values)
    mantissa = 2.0**SHORT * xp.frexp(values)[0]
    with np.errstate(over="ignore"):
        is_single = values.astype(np.float32) == values
    return bool(is_single.all()) and not bool((mantissa == xp.rint(mantissa)).all())
