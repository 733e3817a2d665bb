"""The exercises of notebook 02: convolution, forward and backward."""

import numpy as np

from minunet.course import stride_and_padding
from minunet.course.exercise import Exercise
from minunet.layers.conv import conv2d_backward, conv2d_forward

rng = np.random.default_rng(2)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def backward_case(N: int, C: int, H: int, W: int, F: int, KH: int, KW: int) -> tuple:
    """Return (dy, cache)."""
    _, cache = conv2d_forward(small_whole_numbers(N, C, H, W), small_whole_numbers(F, C, KH, KW), np.zeros(F))
    return small_whole_numbers(N, F, H - KH + 1, W - KW + 1), cache


def random_backward_case(N: int, C: int, H: int, W: int, F: int, KH: int, KW: int) -> tuple:
    """Return (dy, cache), with numbers that are not whole."""
    _, cache = conv2d_forward(rng.normal(size=(N, C, H, W)), rng.normal(size=(F, C, KH, KW)), np.zeros(F))
    return rng.normal(size=(N, F, H - KH + 1, W - KW + 1)), cache


def y(x, weight, bias):
    return conv2d_forward(x, weight, bias)[0]


def y_turned(x, weight, bias):
    return y(x, weight[..., ::-1, ::-1], bias)


def y_rows_and_columns_swapped(x, weight, bias):
    return y(x, weight.swapaxes(2, 3), bias)


def y_of_the_last_tap(x, weight, bias):
    weight = weight.copy()
    weight[:, :, :-1] = weight[:, :, -1:, :-1] = 0
    return y(x, weight, bias)


def y_without_bias(x, weight, bias):
    return y(x, weight, 0 * bias)


def y_with_bias_in_every_tap(x, weight, bias):
    KH, KW = weight.shape[2:]
    return y(x, weight, KH * KW * bias)


def dx(dy, cache):
    return conv2d_backward(dy, cache)[0]


def dx_turned(dy, cache):
    return dx(dy, cache._replace(weight=cache.weight[..., ::-1, ::-1]))


def dx_overwritten(dy, cache):
    x, weight = cache
    OH, OW = dy.shape[2:]
    dx = np.zeros_like(x)
    for kh, kw in np.ndindex(weight.shape[2:]):
        dx[:, :, kh : kh + OH, kw : kw + OW] = np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
    return dx


def dx_times_x(dy, cache):
    return cache.x * dx(dy, cache)


def dweight(dy, cache):
    return conv2d_backward(dy, cache)[1]


def dweight_turned(dy, cache):
    return dweight(dy, cache)[..., ::-1, ::-1]


def dweight_is_a_mean(dy, cache):
    N, _, OH, OW = dy.shape
    return dweight(dy, cache) / (N * OH * OW)


def dweight_times_weight(dy, cache):
    return cache.weight * dweight(dy, cache)


def without_dbias(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight, 0 * dbias


def dbias_is_a_mean(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight, dy.mean(axis=(0, 2, 3))


def gradients_in_the_wrong_order(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dweight, dx, dbias


def with_overwritten_dx(dy, cache):
    return dx_overwritten(dy, cache), *conv2d_backward(dy, cache)[1:]


# The example that the notebook works by hand: tap (kh, kw) of the kernel carries its number, 1 to 9.
X = np.array([[1.0, 0, 2, 0], [0, 1, 0, 1], [1, 0, 0, 2], [0, 2, 1, 0]])[None, None]
WEIGHT = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
BIAS = np.array([1.0])
DY = np.array([[1.0, 2], [0, -1]])[None, None]

BY_HAND = DY, conv2d_forward(X, WEIGHT, BIAS)[1]
FURTHER = (
    backward_case(2, 3, 6, 5, 4, 3, 2),
    random_backward_case(3, 1, 5, 4, 2, 1, 3),
    random_backward_case(1, 4, 3, 7, 1, 2, 2),
)

EXERCISES = [
    Exercise(
        "conv2d_forward",
        solution=y,
        outputs=("y",),
        args=(X, WEIGHT, BIAS),
        more=(
            (small_whole_numbers(2, 3, 6, 5), small_whole_numbers(4, 3, 3, 2), small_whole_numbers(4)),
            (rng.normal(size=(3, 1, 5, 4)), rng.normal(size=(2, 1, 1, 3)), rng.normal(size=2)),
            (rng.normal(size=(1, 4, 3, 7)), rng.normal(size=(1, 4, 2, 2)), rng.normal(size=1)),
        ),
        ready_made=("conv2d_forward", "conv2d"),
        mistakes={
            "the kernel is turned by half a turn: in a correlation tap (0, 0) reads x[h, w]": y_turned,
            "rows and columns of the kernel are swapped: kh counts rows, and moves along H": y_rows_and_columns_swapped,
            "only the last tap is left: the taps add up, so y needs +=": y_of_the_last_tap,
            "the bias is missing": y_without_bias,
            "the bias is added once for every tap: it belongs outside the loop": y_with_bias_in_every_tap,
        },
        hint="work out y[0, 0, 0, 0] on paper, tap by tap, and compare",
    ),
    Exercise(
        "conv2d_dx",
        solution=dx,
        outputs=("dx",),
        args=BY_HAND,
        more=FURTHER,
        ready_made=("conv2d_backward", "conv2d_gradients"),
        mistakes={
            "taps overwrite each other: a pixel of x is read by many taps, so dx needs +=": dx_overwritten,
            "the kernel is turned once too often: a tap writes to the pixel that it read": dx_turned,
            "it is multiplied by x: weight * x has the derivative weight with respect to x": dx_times_x,
        },
        hint="follow one pixel of dy back: it came from KH * KW pixels of x, and returns to each, times the same tap",
    ),
    Exercise(
        "conv2d_dweight",
        solution=dweight,
        outputs=("dweight",),
        args=BY_HAND,
        more=FURTHER,
        ready_made=("conv2d_backward", "conv2d_gradients"),
        mistakes={
            "it is turned by half a turn: tap (kh, kw) saw x[h + kh, w + kw]": dweight_turned,
            "it is a mean: a tap serves every pixel of y, and all these effects add up": dweight_is_a_mean,
            "it is multiplied by weight: weight * x has the derivative x with respect to weight": dweight_times_weight,
        },
        hint="a tap has met every pixel of dy once: which pixel of x did it read then?",
    ),
    Exercise(
        "conv2d_backward",
        solution=conv2d_backward,
        outputs=("dx", "dweight", "dbias"),
        args=BY_HAND,
        more=FURTHER,
        ready_made=("conv2d_backward", "conv2d_gradients"),
        pair=(conv2d_forward, (rng.normal(size=(2, 2, 6, 5)), rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3))),
        mistakes={
            "the order is that of the forward's arguments, x, weight, bias: dx, dweight, dbias": (
                gradients_in_the_wrong_order
            ),
            "every pixel of y got the same bias: dbias sums dy over N, H and W": without_dbias,
            "dbias is a mean: the bias reaches every pixel of y, and all these effects add up": dbias_is_a_mean,
            "in dx, taps overwrite each other: a pixel of x is read by many taps, so dx needs +=": with_overwritten_dx,
        },
        hint="one loop over the taps makes dx and dweight, and dbias is a sum of dy; which of the three differs?",
    ),
    *stride_and_padding.EXERCISES,
]
