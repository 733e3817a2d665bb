"""The exercises of notebook 02: convolution, forward and backward."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.conv import conv2d_backward, conv2d_forward

rng = np.random.default_rng(2)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def backward_case(N: int, C: int, H: int, W: int, F: int, KH: int, KW: int) -> tuple:
    """Return (dy, cache)."""
    _, cache = conv2d_forward(small_whole_numbers(N, C, H, W), small_whole_numbers(F, C, KH, KW), np.zeros(F))
    return small_whole_numbers(N, F, H - KH + 1, W - KW + 1), cache


def y(x, weight, bias):
    return conv2d_forward(x, weight, bias)[0]


def y_turned(x, weight, bias):
    return y(x, weight[..., ::-1, ::-1], bias)


def y_without_bias(x, weight, bias):
    return y(x, weight, 0 * bias)


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


def dweight(dy, cache):
    return conv2d_backward(dy, cache)[1]


def dweight_turned(dy, cache):
    return dweight(dy, cache)[..., ::-1, ::-1]


def without_dbias(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight, 0 * dbias


TINY = backward_case(1, 1, 4, 4, 1, 3, 3)
LARGER = backward_case(2, 3, 6, 5, 4, 3, 2)

EXERCISES = [
    Exercise(
        "conv2d_forward",
        solution=y,
        outputs=("y",),
        args=(small_whole_numbers(1, 1, 4, 4), small_whole_numbers(1, 1, 3, 3), np.array([1.0])),
        more=((small_whole_numbers(2, 3, 6, 5), small_whole_numbers(4, 3, 3, 2), small_whole_numbers(4)),),
        mistakes={
            "the kernel is turned by half a turn: in a correlation tap (0, 0) reads x[h, w]": y_turned,
            "the bias is missing": y_without_bias,
        },
        hint="work out y[0, 0, 0, 0] on paper, tap by tap, and compare",
    ),
    Exercise(
        "conv2d_dx",
        solution=dx,
        outputs=("dx",),
        args=TINY,
        more=(LARGER,),
        mistakes={
            "taps overwrite each other: a pixel of x is read by many taps, so dx needs +=": dx_overwritten,
            "the kernel is turned once too often: a tap writes to the pixel that it read": dx_turned,
        },
        hint="follow one pixel of dy back: it came from KH * KW pixels of x, and returns to each, times the same tap",
    ),
    Exercise(
        "conv2d_dweight",
        solution=dweight,
        outputs=("dweight",),
        args=TINY,
        more=(LARGER,),
        mistakes={"it is turned by half a turn: tap (kh, kw) saw x[h + kh, w + kw]": dweight_turned},
        hint="a tap has met every pixel of dy once: which pixel of x did it read then?",
    ),
    Exercise(
        "conv2d_backward",
        solution=conv2d_backward,
        outputs=("dx", "dweight", "dbias"),
        args=TINY,
        more=(LARGER,),
        pair=(conv2d_forward, (rng.normal(size=(2, 2, 6, 5)), rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3))),
        mistakes={"every pixel of y got the same bias: dbias sums dy over N, H and W": without_dbias},
        hint="call your dx and dweight, and add dbias",
    ),
]
