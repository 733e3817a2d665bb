"""Does a pair compute in less than float64 inside? Then differences of its outputs are differences of rounding."""

import numpy as np

from minunet.backend import array_module
from minunet.gradchecking.numeric import move_along, random_direction
from minunet.gradchecking.report import Finding

NUDGE, PUSH = 1e-7, 1e-2  # relative: about float32's spacing; and large enough to change any rounded number
COARSE = 1e-10  # relative rounding that float64 stays far below, and float32 far above
HINT = "It computes in low precision inside, so nothing can be told: remove casts such as .astype('float32')."


def examine_precision(pair, y, rng) -> tuple[float, list[Finding]]:
    """Return the relative rounding error of the output, and a finding if that of float32 or coarser shows in it.

    The output is sampled at 0, 1, 2 and 3 nudges and at one push along a random direction.
    """
    xp = array_module(y)
    if xp.asarray(y).dtype != np.float64:
        return 0.0, [Finding("precision", "y", f"The output is {xp.asarray(y).dtype} for float64 arguments. {HINT}")]
    start = xp.atleast_1d(y)
    nudged, twice, thrice, pushed = _outputs(pair, rng, (NUDGE, 2 * NUDGE, 3 * NUDGE, PUSH))
    noise = _rounding(start, nudged, twice, thrice)
    changed = pushed != start
    stuck = (nudged == start) & changed & (xp.abs(pushed - start) > 1e-6 * xp.abs(start))
    is_coarse = (
        noise > COARSE
        or _representable(pushed[changed & (pushed != 0)])
        or float(stuck.sum()) > 0.5 * float(changed.sum())
    )
    return noise, [Finding("precision", "y", HINT)] if is_coarse else []


def low_precision_gradients(analytic: dict) -> list[Finding]:
    """Return a finding for each gradient that holds nothing but float32 numbers."""
    return [
        Finding("precision", name, f"Its gradient ({gradient.dtype}) is rounded to float32. {HINT}")
        for name, gradient in analytic.items()
        if gradient.dtype != np.float64 or _representable(gradient[gradient != 0])
    ]


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


def _outputs(pair, rng, steps) -> list:
    move = move_along(pair.leaves, random_direction(rng, pair.leaves))
    outputs = []
    for step in steps:
        move(step)
        y, _ = pair.forward()
        outputs.append(array_module(y).atleast_1d(y).copy())
    move(0.0)
    return outputs


def _representable(values) -> bool:
    """Tell whether all of these float64 numbers are float32 numbers; chance gives one in 2**29."""
    return values.size > 0 and bool((values.astype(np.float32).astype(np.float64) == values).all())
