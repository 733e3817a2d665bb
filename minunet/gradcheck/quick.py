"""The first look along a direction, in four forward passes; enough where the function is smooth and the gradient right.

Central differences at a step h are off by about h**2; those at h and 2h together cancel that term (Richardson's
extrapolation). If the result is <gradient, u> to eleven digits, that is no accident, and nothing else is tried: no low
precision inside, no kink nearby, no wrong gradient lets so many digits agree. Whatever does not agree proves nothing
here, and is left to `precision.py` and `directions.py`.
"""

from minunet.gradcheck.directions import FLOOR, Direction, Verdict
from minunet.gradcheck.slopes import Probe

STEP = 2e-4  # relative to the size of each argument: h**4 and rounding / h are both small
CONFIRMING_STEP = 1e-5  # one difference alone: h**2 and rounding / h are both small
SHARP = 1e-11  # relative: how far the extrapolated slope may be from <gradient, u>, beside rounding
BLURRED = 1e-9  # relative: rounding that hides more than that leaves the case open
HOPELESS = 1e-4  # relative: further away than any curvature that the extrapolation could cancel
BENDS = 1e-7  # relative: a kink of one output in a million is more


def quick_look(probe: Probe, direction: Direction, scale: float = 1.0) -> Verdict | None:
    """Return `agreement` if the slope is <gradient, u> to the last digits that rounding leaves, else None."""
    size = direction.size
    near = size and probe.slope(direction.move, STEP * scale, count_bends=True)
    if not near or 8 * near.rounding > BLURRED * size or abs(near.value - near.expected) > HOPELESS * size:
        return None
    far = probe.slope(direction.move, 2 * STEP * scale, count_bends=True)
    if not far:
        return None
    miss = abs(4 * (near.value - near.expected) - (far.value - far.expected)) / 3
    tolerance = SHARP * size + 8 * near.rounding
    gap = abs(2 * (near.right - near.left) - (far.right - far.left))  # curvature cancels, a kink at the point does not
    bend = 2 * near.bend - far.bend
    if miss > tolerance or gap > 8 * tolerance or bend > BENDS * size:
        return None
    return Verdict("agreement", miss / size, near.step, tolerance)


def confirm(probe: Probe, direction: Direction, scale: float = 1.0) -> Verdict | None:
    """Return `agreement` if one central difference agrees along a further direction, else None: two passes."""
    size = direction.size
    slope = size and probe.slope(direction.move, CONFIRMING_STEP * scale)
    if not slope:
        return None
    tolerance = FLOOR * size + 4 * slope.rounding
    miss = abs(slope.value - slope.expected)
    return Verdict("agreement", miss / size, slope.step, tolerance) if miss <= tolerance else None
