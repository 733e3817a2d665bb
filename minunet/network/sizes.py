"""The sizes of the U-Net: which input sizes fit, and which output size each gives.

Height and width are independent, so these functions treat one axis at a time. On each level two valid 3x3 convolutions
take off 4 pixels. On the way down a pool halves what is left; on the way up an up-convolution doubles it. For depth 4:
572 -> 388 (Fig. 1). A size fits if every pool gets an even size and at least one pixel is left at the end. The sizes
that fit are 2**depth apart, and all of them lose the same border.
"""

from typing import Any, NamedTuple

from minunet.backend import is_whole_number
from minunet.errors import InputError, shown

LARGEST_TILE = 65_536  # pixels on a side
LARGEST = 2**40  # pixels along an axis of an input
DEEPEST = 12  # for depth 13 the smallest tile would have 98,300 pixels on a side
CONV_LOSS = 4  # pixels that two valid 3x3 convolutions take off an axis


class Trace(NamedTuple):
    """The size after the two convolutions of each level; level 0 is the level of full resolution."""

    down: list[int]  # for 572: 568, 280, 136, 64
    bottom: int  # 28
    up: list[int]  # 388, 196, 100, 52

    def crops(self) -> list[int]:
        """Return the pixels that each skip connection loses on each side: 88, 40, 16, 4."""
        deeper = [*self.up[1:], self.bottom]
        return [(skip - 2 * below) // 2 for skip, below in zip(self.down, deeper, strict=True)]


def trace(n: int, depth: int = 4, axis: str = "size") -> Trace:
    """Follow an input of size `n` through the network.

    Raises
    ------
    InputError
        If `n` does not fit `depth`; names the nearest sizes that do.
    """
    n = _whole(f"input {axis}", n)
    if n > LARGEST:
        raise InputError(f"input {axis} must be at most {LARGEST:,}, got {shown(n)}; no image is that large")
    if not fits(n, depth):
        raise InputError(f"input {axis} {n} does not fit depth {depth}; {_nearest(n, depth, axis)}")
    down: list[int] = []
    for _ in range(depth):
        down.append(n - CONV_LOSS)
        n = down[-1] // 2
    bottom = n - CONV_LOSS
    up: list[int] = []
    n = bottom
    for _ in range(depth):
        n = 2 * n - CONV_LOSS
        up.insert(0, n)
    return Trace(down, bottom, up)


def output_size(n: int, depth: int = 4) -> int:
    """Return the output size for an input of size `n`, such as 388 for 572; raises as `trace` does."""
    trace(n, depth)
    return int(n) - border(depth)


def border(depth: int = 4) -> int:
    """Return how much smaller the output is than the input: 184 for depth 4, whatever the input."""
    depth = _whole("depth", depth)
    if depth < 1:
        raise InputError(f"depth must be at least 1, got {shown(depth)}; the paper's network has depth 4")
    if depth > DEEPEST:
        raise InputError(f"depth must be at most {DEEPEST}, got {shown(depth)}; the paper's network has depth 4")
    return CONV_LOSS * (3 * 2**depth - 2)


def smallest_input_size(output: int, depth: int = 4) -> int:
    """Return the smallest input size whose output is at least `output` pixels: 572 for 388."""
    output = _whole("output size", output)
    if output < 1:
        raise InputError(f"output size must be at least 1, got {output}; ask for 1 pixel or more")
    return _round_up(output + border(depth), depth)


def fits(n: int, depth: int = 4) -> bool:
    """Tell whether a U-Net of this depth can take an input of size `n`."""
    n = _whole("input size n", n)
    return n == _round_up(n, depth)


def _whole(name: str, x: Any) -> int:
    """Return a whole number as Python's, which has no largest one; one of NumPy would overflow."""
    if not is_whole_number(x):
        raise InputError(f"{name} must be a whole number, got {shown(x)}; int rounds one down")
    return int(x)


def _round_up(n: int, depth: int) -> int:
    """Return the smallest size that fits and is at least `n`.

    A size fits if it is larger than the border and, for depth 4, leaves a remainder of 12 when divided by 16.
    """
    lost, step = border(depth), 2 ** int(depth)
    n = max(n, lost + 1)
    return n + (lost + CONV_LOSS - n) % step


def _nearest(n: int, depth: int, axis: str) -> str:
    above = _round_up(n, depth)
    below = above - 2 ** int(depth)
    if below <= border(depth):
        return f"the smallest valid {axis} is {above}"
    return f"the nearest valid {axis}s are {below} and {above}"
