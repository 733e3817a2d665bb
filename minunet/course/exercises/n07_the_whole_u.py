"""The exercises of notebook 07: sizes, and the backward pass of a U with two levels.

The mini U has one convolution where the paper's has two, and no biases, so that the whole of it fits on a screen:

    x --> down --> ReLU --+-------- crop ------> concat --> head --> logits
                          |                        ^
                          +-> pool -> bottom -> ReLU -> up
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array
from minunet.course.exercise import Exercise
from minunet.layers.conv import Conv2dCache, conv2d_backward, conv2d_forward
from minunet.layers.crop_concat import CropConcatCache, crop_concat_backward, crop_concat_forward
from minunet.layers.pool import MaxPoolCache, max_pool_backward, max_pool_forward
from minunet.layers.relu import ReluCache, relu_backward, relu_forward
from minunet.layers.up_conv import UpConvCache, up_conv_backward, up_conv_forward
from minunet.network.sizes import output_size, smallest_input_size

rng = np.random.default_rng(7)


class MiniUCache(NamedTuple):
    down: Conv2dCache
    relu1: ReluCache
    pool: MaxPoolCache
    bottom: Conv2dCache
    relu2: ReluCache
    up: UpConvCache
    concat: CropConcatCache
    head: Conv2dCache


def mini_u_forward(x: Array, down: Array, bottom: Array, up: Array, head: Array) -> tuple[Array, MiniUCache]:
    """Run a U of two levels without biases; `down`, `bottom`, `up` and `head` are the weights of its layers."""
    y, down_cache = conv2d_forward(x, down, _no_bias(down))
    skip, relu1 = relu_forward(y)
    y, pool = max_pool_forward(skip)
    y, bottom_cache = conv2d_forward(y, bottom, _no_bias(bottom))
    y, relu2 = relu_forward(y)
    y, up_cache = up_conv_forward(y, up, np.zeros(up.shape[1]))
    y, concat = crop_concat_forward(skip, y)
    logits, head_cache = conv2d_forward(y, head, _no_bias(head))
    return logits, MiniUCache(down_cache, relu1, pool, bottom_cache, relu2, up_cache, concat, head_cache)


def mini_u_backward(dlogits, cache):
    return _backward(dlogits, cache, lambda dpooled, dskip, relu: relu_backward(dpooled + dskip, relu))


def without_skip(dlogits, cache):
    return _backward(dlogits, cache, lambda dpooled, dskip, relu: relu_backward(dpooled, relu))


def without_pool(dlogits, cache):
    return _backward(dlogits, cache, lambda dpooled, dskip, relu: relu_backward(dskip, relu))


def averaged_at_the_fork(dlogits, cache):
    return _backward(dlogits, cache, lambda dpooled, dskip, relu: relu_backward((dpooled + dskip) / 2, relu))


def skip_around_the_gate(dlogits, cache):
    return _backward(dlogits, cache, lambda dpooled, dskip, relu: relu_backward(dpooled, relu) + dskip)


def without_gates(dlogits, cache):
    is_open = [ReluCache(np.ones_like(relu.y)) for relu in (cache.relu1, cache.relu2)]
    return mini_u_backward(dlogits, cache._replace(relu1=is_open[0], relu2=is_open[1]))


def _backward(dlogits, cache, fork):
    """Go back through the U; `fork` combines the gradients of the two branches and passes them through the ReLU."""
    dy, dhead, _ = conv2d_backward(dlogits, cache.head)
    dskip, dy = crop_concat_backward(dy, cache.concat)
    dy, dup, _ = up_conv_backward(dy, cache.up)
    dy = relu_backward(dy, cache.relu2)
    dy, dbottom, _ = conv2d_backward(dy, cache.bottom)
    dpooled = max_pool_backward(dy, cache.pool)
    dx, ddown, _ = conv2d_backward(fork(dpooled, dskip, cache.relu1), cache.down)
    return dx, ddown, dbottom, dup, dhead


def _no_bias(weight: Array) -> Array:
    return np.zeros(len(weight))


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def backward_case(*args: np.ndarray) -> tuple:
    """Return (dlogits, cache)."""
    logits, cache = mini_u_forward(*args)
    return small_whole_numbers(*logits.shape), cache


def follow(n, depth, down=4, bottom=4, up=4):
    """Return the size that is left, with the pixels that the convolutions take off on the way."""
    for _ in range(depth):
        n = (n - down) // 2
    n -= bottom
    for _ in range(depth):
        n = 2 * n - up
    return n


def rounded_down(output, depth):
    n = output
    for _ in range(depth):
        n = (n + 4) // 2
    n += 4
    for _ in range(depth):
        n = 2 * n + 4
    return n


TINY = backward_case(
    rng.integers(0, 3, (1, 1, 8, 8)).astype(float),
    np.array([[[[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]]]]),  # down
    np.array([[[[1.0, -1], [0, 1]]]]),  # bottom
    np.array([[[[1.0, 2], [-1, 1]]]]),  # up
    np.array([[[[2.0]], [[-1]]]]),  # head: one channel from the skip connection, one from the up-convolution
)
LARGER = backward_case(
    *(small_whole_numbers(*shape) for shape in ((2, 2, 12, 10), (3, 2, 3, 3), (4, 3, 3, 2), (4, 3, 2, 2), (2, 6, 1, 1)))
)
RANDOM = backward_case(
    *(rng.normal(size=shape) for shape in ((1, 1, 10, 14), (2, 1, 3, 3), (3, 2, 2, 2), (3, 1, 2, 2), (3, 3, 1, 1)))
)

EXERCISES = [
    Exercise(
        "output_size",
        solution=output_size,
        outputs=("size",),
        args=(60, 2),
        more=(
            (44, 2),
            (20, 1),
            (204, 4),
            (572, 4),
            (smallest_input_size(9, 3), 3),
            (smallest_input_size(40, 5), 5),
        ),
        ready_made=("output_size",),
        mistakes={
            "the bottom has two convolutions of its own, between the last pool and the first up-convolution": (
                lambda n, depth: follow(n, depth, bottom=0)
            ),
            "a level has two convolutions, and each takes off 2 pixels: 4 in all": (
                lambda n, depth: follow(n, depth, 2, 2, 2)
            ),
            "on the way up there are two convolutions after each up-convolution too": (
                lambda n, depth: follow(n, depth, up=0)
            ),
        },
        hint="follow 60 by hand: minus 4 and halved, twice; minus 4; doubled and minus 4, twice",
    ),
    Exercise(
        "smallest_input_size",
        solution=smallest_input_size,
        outputs=("size",),
        args=(5, 2),
        more=((1, 1), (1, 4), (5, 4), (100, 3), (388, 4), (389, 4), (7, 2), (33, 5), (64, 3)),
        ready_made=("smallest_input_size",),
        mistakes={
            "an odd size was halved and rounded down, so the output is too small: round up": rounded_down,
            "no size was rounded: the output is large enough, but the input does not fit": (
                lambda output, depth: output - follow(0, depth)
            ),
        },
        hint="read the U from its end: undo two convolutions, undo an up-convolution (half, rounded up), and so on",
    ),
    Exercise(
        "mini_u_backward",
        solution=mini_u_backward,
        outputs=("dx", "ddown", "dbottom", "dup", "dhead"),
        args=TINY,
        more=(LARGER, RANDOM),
        pair=(
            mini_u_forward,
            tuple(
                rng.normal(size=shape)
                for shape in ((1, 2, 10, 8), (3, 2, 3, 3), (4, 3, 2, 2), (4, 2, 2, 2), (2, 5, 1, 1))
            ),
        ),
        mistakes={
            "the skip connection's gradient is lost: at the fork it is added to the pool's": without_skip,
            "the pool's gradient is lost at the fork: nothing that the bottom learns reaches x": without_pool,
            "at the fork the two gradients are added, not averaged": averaged_at_the_fork,
            "dskip was added after the ReLU's backward pass, but skip is what the ReLU put out: add it before": (
                skip_around_the_gate
            ),
            "the ReLUs are missing: each has a backward pass too": without_gates,
        },
        hint="read mini_u_forward from its last line to its first; each line has one partner, the fork has a sum",
    ),
]
