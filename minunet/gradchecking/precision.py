"""Does a pair compute in less than float64 inside? Then differences of its outputs are differences of rounding."""

import numpy as np

from minunet.backend import array_module
from minunet.gradchecking.numeric import move_along, scale_of
from minunet.gradchecking.report import Finding

NUDGE, PUSH = 1e-7, 1e-2  # relative: about float32's spacing; and large enough to change any rounded number
COARSE = 1e-10  # relative rounding that float64 stays far below, and float32 far above
HINT = "It computes in low precision inside, so nothing can be told: remove casts such as .astype('float32')."


def low_precision(pair, y, rng) -> list[Finding]:
    """Return a finding if the output shows the rounding of float32 or coarser."""
    xp = array_module(y)
    if xp.asarray(y).dtype != np.float64:
        return [Finding("precision", "y", f"The output is {xp.asarray(y).dtype} for float64 arguments. {HINT}")]
    start, nudged, pushed = _outputs(pair, rng, (0.0, NUDGE, PUSH))
    changed = pushed != start
    if not changed.any():
        return []
    stuck = (nudged == start) & changed & (xp.abs(pushed - start) > 1e-6 * xp.abs(start))
    if _representable(pushed[changed & (pushed != 0)]) or float(stuck.sum()) > 0.5 * float(changed.sum()):
        return [Finding("precision", "y", HINT)]
    if measure_noise(pair, rng) > COARSE:
        return [Finding("precision", "y", HINT)]
    return []


def low_precision_gradients(analytic: dict) -> list[Finding]:
    """Return a finding for each gradient that holds nothing but float32 numbers."""
    return [
        Finding("precision", name, f"Its gradient ({gradient.dtype}) is rounded to float32. {HINT}")
        for name, gradient in analytic.items()
        if gradient.dtype != np.float64 or _representable(gradient[gradient != 0])
    ]


def measure_noise(pair, rng) -> float:
    """Return the relative rounding error of the output: what is left of it in third differences.

    A smooth function sampled at equal tiny steps has third differences of the order step**3; what exceeds that is
    rounding. The median over the elements that change ignores the few that cross a kink.
    """
    a, b, c, d = _outputs(pair, rng, (1 * NUDGE, 2 * NUDGE, 3 * NUDGE, 4 * NUDGE))
    xp = array_module(a)
    changed = (a != d) & (a != 0)
    if not changed.any():
        return 0.0
    third = xp.abs(d - 3 * c + 3 * b - a)[changed] / xp.abs(a)[changed]
    return float(xp.median(third)) / np.sqrt(20)  # the third difference of unit noise has variance 1 + 9 + 9 + 1


def _outputs(pair, rng, steps) -> list:
    direction = {
        name: array_module(x).asarray(rng.standard_normal(x.shape) * scale_of(x)) for name, x in pair.leaves.items()
    }
    move = move_along(pair.leaves, direction)
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
