"""The exercises of notebook 03: the gate of the ReLU, and the winners of the max-pool."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.pool import CORNERS, MaxPoolCache, max_pool_backward, max_pool_forward
from minunet.layers.relu import relu_backward, relu_forward

rng = np.random.default_rng(3)


def whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-4, 5, shape).astype(float)


def relu_case(x: np.ndarray) -> tuple:
    """Return (dy, cache)."""
    return whole_numbers(*x.shape), relu_forward(x)[1]


def relu_ungated(dy, cache):
    return dy.copy()


def relu_inverted(dy, cache):
    return dy * (cache.y <= 0)


def relu_gated_by_dy_too(dy, cache):
    return dy * (cache.y > 0) * (dy > 0)


def relu_of_dy(dy, cache):
    return np.maximum(dy, 0)


def relu_gate_alone(dy, cache):
    return (cache.y > 0).astype(dy.dtype)


def pooled(x):
    y, cache = max_pool_forward(x)
    return y, cache.winner


def pooled_last_winner(x):
    y, _ = max_pool_forward(x)
    winner = np.zeros(y.shape, int)
    for k, (i, j) in enumerate(CORNERS):
        winner[x[:, :, i::2, j::2] == y] = k
    return y, winner


def pooled_column_by_column(x):
    y, winner = pooled(x.swapaxes(2, 3))
    return y.swapaxes(2, 3), winner.swapaxes(2, 3)


def pooled_numbers_from_1(x):
    y, winner = pooled(x)
    return y, winner + 1


def pooled_first_corner(x):
    return x[:, :, ::2, ::2], pooled(x)[1]


def pooled_magnitude(x):
    _, winner = pooled(np.abs(x))
    corners = np.stack([x[:, :, i::2, j::2] for i, j in CORNERS])
    return np.take_along_axis(corners, winner[None].astype(int), axis=0)[0], winner


def pooled_mean(x):
    _, winner = pooled(x)
    return sum(x[:, :, i::2, j::2] for i, j in CORNERS) / 4, winner


def pool_case(x: np.ndarray) -> tuple:
    """Return (dy, cache); no element of dy is zero, so that each can be seen in dx."""
    cache = max_pool_forward(x)[1]
    dy = rng.integers(1, 8, cache.winner.shape) * rng.choice([-1.0, 1.0], cache.winner.shape)
    return dy, cache


def to_all_four(dy, cache):
    return dy.repeat(2, axis=2).repeat(2, axis=3)


def shared_by_all_four(dy, cache):
    return to_all_four(dy, cache) / 4


def to_the_first_corner(dy, cache):
    return max_pool_backward(dy, MaxPoolCache(np.zeros_like(cache.winner)))


def corners_column_by_column(dy, cache):
    return max_pool_backward(dy, MaxPoolCache(np.array([0, 2, 1, 3], np.uint8)[cache.winner]))


RELU_TINY = np.array([[2.0, -1.0, 3.0], [-4.0, 1.0, 0.0], [-2.0, 5.0, -3.0]])
POOL_TINY = np.array([[1.0, 4, 2, 2], [3, 0, 1, 2], [0, 1, -1, -3], [2, 5, -2, -4]])[None, None]  # one window is a tie

EXERCISES = [
    Exercise(
        "relu_backward",
        solution=relu_backward,
        outputs=("dx",),
        args=(np.array([[5.0, -1, -2], [3, -4, 6], [1, 2, -3]]), relu_forward(RELU_TINY)[1]),
        more=(
            relu_case(whole_numbers(2, 3, 4, 5)),
            (rng.normal(size=7), relu_forward(rng.normal(size=7))[1]),
            (rng.normal(size=(1, 2, 3, 1)), relu_forward(1e-3 * rng.normal(size=(1, 2, 3, 1)))[1]),
        ),
        ready_made=("relu_backward", "relu_gradient"),
        pair=(relu_forward, (rng.normal(size=(2, 3, 5, 4)),)),
        mistakes={
            "every gate is open: y is never negative, so the gate must ask for y > 0, not y >= 0": relu_ungated,
            "the gates are the wrong way round: dy passes where x was positive": relu_inverted,
            "the sign of dy closes gates too: only the sign of x decides, and negative gradients pass": (
                relu_gated_by_dy_too
            ),
            "this is the ReLU of dy: the gate belongs to x, and x is not dy": relu_of_dy,
            "this is the gate alone: multiply it by dy": relu_gate_alone,
        },
        hint="dx is dy where cache.y is positive, and 0 elsewhere",
    ),
    Exercise(
        "max_pool_forward",
        solution=pooled,
        outputs=("y", "winner"),
        args=(POOL_TINY,),
        more=((whole_numbers(2, 3, 6, 4),), (rng.normal(size=(3, 1, 2, 8)),), (rng.normal(size=(1, 4, 10, 6)),)),
        ready_made=("max_pool_forward", "max_pool"),
        mistakes={
            "in a tie the last winner was kept: the first in row-major order counts": pooled_last_winner,
            "the corners are counted column by column: they are 0 1 in the upper row, 2 3 in the lower": (
                pooled_column_by_column
            ),
            "the corners are counted from 1: they are 0, 1, 2, 3": pooled_numbers_from_1,
            "this is the upper left corner of each window, whatever the others are": pooled_first_corner,
            "this is the largest magnitude: -4 is less than 1": pooled_magnitude,
            "this is the mean of each window: max-pool keeps the largest": pooled_mean,
        },
        hint="work out the upper left window of four pixels on paper: its largest value, and where in the window it is",
    ),
    Exercise(
        "max_pool_backward",
        solution=max_pool_backward,
        outputs=("dx",),
        args=pool_case(POOL_TINY),
        more=(
            pool_case(whole_numbers(2, 3, 6, 4)),
            (rng.normal(size=(3, 1, 1, 4)), max_pool_forward(rng.normal(size=(3, 1, 2, 8)))[1]),
            (rng.normal(size=(1, 4, 5, 3)), max_pool_forward(rng.normal(size=(1, 4, 10, 6)))[1]),
        ),
        ready_made=("max_pool_backward", "max_pool_gradient"),
        pair=(max_pool_forward, (rng.normal(size=(2, 3, 6, 4)),)),
        mistakes={
            "all four pixels of a window get its gradient: only the winner does": to_all_four,
            "the gradient is shared as in average pooling: the winner gets all of it": shared_by_all_four,
            "the gradient always goes to the upper left corner: cache.winner says which of the four": (
                to_the_first_corner
            ),
            "corners 1 and 2 are in each other's place: 1 is to the right of 0, 2 is below it": (
                corners_column_by_column
            ),
        },
        hint="follow one number of dy: to which one of the four pixels of its window does it go?",
    ),
]
