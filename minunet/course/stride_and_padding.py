"""What notebook 02 adds to the library's convolution, a stride and "same" padding, and its exercises on both.

    y[n,f,h,w]               = bias[f] + sum_{c,kh,kw} weight[f,c,kh,kw] * x[n,c,stride*h+kh,stride*w+kw]

    dx[n,c,stride*h+kh,stride*w+kw] += sum_f  weight[f,c,kh,kw] * dy[n,f,h,w]      for every tap (kh,kw)

The U-Net's convolutions need neither, so these are readable and slow.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.conv import Conv2dCache, conv2d_backward, conv2d_forward

rng = np.random.default_rng(202)


class StridedConvCache(NamedTuple):
    x: np.ndarray  # (N, C, H, W)
    weight: np.ndarray  # (F, C, KH, KW)
    stride: int


class SameConvCache(NamedTuple):
    conv: Conv2dCache  # its x is padded: (N, C, H + KH - 1, W + KW - 1)
    top: int  # rows of zeros above x
    left: int  # columns of zeros on the left of x


def strided_conv_forward(x, weight, bias, stride):
    """Return y, (N, F, OH, OW), with OH = (H - KH) // stride + 1, and the cache."""
    OH, OW = ((size - taps) // stride + 1 for size, taps in zip(x.shape[2:], weight.shape[2:], strict=True))
    y = np.zeros((len(x), len(weight), OH, OW)) + bias[:, None, None]
    for (kh, kw), rows, columns in blocks(weight, OH, OW, stride):
        y += np.einsum("fc,nchw->nfhw", weight[:, :, kh, kw], x[:, :, rows, columns])
    return y, StridedConvCache(x, weight, stride)


def strided_conv_backward(dy, cache):
    """Return dx, dweight, dbias: the loop over taps, mirrored."""
    x, weight, stride = cache
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    OH, OW = dy.shape[2:]
    for (kh, kw), rows, columns in blocks(weight, OH, OW, stride):
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    return dx, dweight, dy.sum(axis=(0, 2, 3))


def blocks(weight, OH: int, OW: int, stride: int) -> Iterator[tuple[tuple[int, int], slice, slice]]:
    """Yield each tap (kh, kw), with the rows and the columns that it reads: OH and OW of them, `stride` apart."""
    for kh, kw in np.ndindex(weight.shape[2:]):
        yield (kh, kw), slice(kh, kh + stride * OH, stride), slice(kw, kw + stride * OW, stride)


def same_conv_forward(x, weight, bias):
    """Return y, (N, F, H, W), as large as x, and the cache. Of an odd number of zeros, one more is below or right."""
    KH, KW = weight.shape[2:]
    top, left = (KH - 1) // 2, (KW - 1) // 2
    padded = np.pad(x, [(0, 0), (0, 0), (top, KH - 1 - top), (left, KW - 1 - left)])
    y, conv = conv2d_forward(padded, weight, bias)
    return y, SameConvCache(conv, top, left)


def same_conv_backward(dy, cache):
    """Return dx, dweight, dbias; the gradient of the zeros is cut off, since nobody can change them."""
    conv, top, left = cache
    dpadded, dweight, dbias = conv2d_backward(dy, conv)
    H, W = dy.shape[2:]
    return dpadded[:, :, top : top + H, left : left + W], dweight, dbias


def strided_y(x, weight, bias, stride):
    return strided_conv_forward(x, weight, bias, stride)[0]


def y_with_stride_1(x, weight, bias, stride):
    return conv2d_forward(x, weight, bias)[0]


def y_of_the_first_places(x, weight, bias, stride):
    OH, OW = strided_y(x, weight, bias, stride).shape[2:]
    return conv2d_forward(x, weight, bias)[0][:, :, :OH, :OW]


def y_of_every_tap_that_is_strided(x, weight, bias, stride):
    return conv2d_forward(x[:, :, ::stride, ::stride], weight[:, :, ::stride, ::stride], bias)[0]


def strided_without_bias(x, weight, bias, stride):
    return strided_y(x, weight, 0 * bias, stride)


def strided_backward_with_stride_1(dy, cache):
    return strided_conv_backward(dy, cache._replace(stride=1))


def strided_backward_overwritten(dy, cache):
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    dx = np.zeros(x.shape)
    for kh, kw in np.ndindex(weight.shape[2:]):
        rows, columns = slice(kh, kh + stride * OH, stride), slice(kw, kw + stride * OW, stride)
        dx[:, :, rows, columns] = np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
    return dx, *strided_conv_backward(dy, cache)[1:]


def same_without_the_crop(dy, cache):
    return conv2d_backward(dy, cache.conv)


def same_cropped_at_the_corner(dy, cache):
    return same_conv_backward(dy, cache._replace(top=0, left=0))


def strided_case(N: int, C: int, H: int, W: int, F: int, KH: int, KW: int, stride: int) -> tuple:
    """Return (x, weight, bias, stride)."""
    return rng.normal(size=(N, C, H, W)), rng.normal(size=(F, C, KH, KW)), rng.normal(size=F), stride


def strided_backward_case(*sizes: int) -> tuple[np.ndarray, StridedConvCache]:
    """Return (dy, cache)."""
    y, cache = strided_conv_forward(*strided_case(*sizes))
    return rng.normal(size=y.shape), cache


def same_case(N: int, C: int, H: int, W: int, F: int, KH: int, KW: int) -> tuple[np.ndarray, SameConvCache]:
    """Return (dy, cache)."""
    y, cache = same_conv_forward(*strided_case(N, C, H, W, F, KH, KW, 1)[:3])
    return rng.normal(size=y.shape), cache


# The examples that the notebook works by hand: tap (kh, kw) of the kernel carries its number, 1 to 9.
X5 = np.array([[1.0, 0, 2, 0, 1], [0, 1, 0, 1, 0], [1, 0, 0, 2, 0], [0, 2, 1, 0, 0], [1, 0, 0, 1, 2]])[None, None]
WEIGHT, BIAS = np.arange(1.0, 10.0).reshape(1, 1, 3, 3), np.array([1.0])
DY = np.array([[1.0, 2], [0, -1]])[None, None]

EXERCISES = [
    Exercise(
        "conv2d_with_stride",
        solution=strided_y,
        outputs=("y",),
        args=(X5, WEIGHT, BIAS, 2),
        more=(
            strided_case(2, 3, 8, 6, 4, 3, 2, 2),
            strided_case(1, 2, 9, 7, 2, 2, 1, 3),
            strided_case(2, 1, 5, 4, 3, 3, 2, 1),
        ),
        mistakes={
            "this is the convolution with stride 1: the kernel moves by `stride` pixels": y_with_stride_1,
            "the size is right, and the kernel still moves by one pixel: give the slice a step": y_of_the_first_places,
            "taps are left out: the stride moves the kernel, and all of its taps stay": y_of_every_tap_that_is_strided,
            "the bias is missing": strided_without_bias,
        },
        hint="y[0, 0, h, w] reads the window that begins at row stride * h and column stride * w",
    ),
    Exercise(
        "conv2d_with_stride_backward",
        solution=strided_conv_backward,
        outputs=("dx", "dweight", "dbias"),
        args=(DY, StridedConvCache(X5, WEIGHT, 2)),
        more=(strided_backward_case(2, 3, 8, 6, 4, 3, 2, 2), strided_backward_case(1, 2, 9, 7, 2, 2, 1, 3)),
        pair=(strided_conv_forward, strided_case(2, 2, 6, 7, 3, 3, 2, 2)),
        mistakes={
            "the stride is missing on the way back: a tap writes to the pixels that it read": (
                strided_backward_with_stride_1
            ),
            "in dx, taps overwrite each other: with stride 2, three taps in a row still meet, so dx needs +=": (
                strided_backward_overwritten
            ),
        },
        hint="the slices are those of the forward pass, with their step; a pixel that no tap read has the gradient 0",
    ),
    Exercise(
        "conv2d_same_backward",
        solution=same_conv_backward,
        outputs=("dx", "dweight", "dbias"),
        args=(np.arange(-4.0, 5.0).reshape(1, 1, 3, 3), same_conv_forward(X5[:, :, :3, :3], WEIGHT, BIAS)[1]),
        more=(same_case(2, 3, 5, 6, 2, 4, 3), same_case(1, 2, 4, 3, 3, 2, 5)),
        pair=(same_conv_forward, strided_case(2, 2, 4, 5, 3, 4, 3, 1)[:3]),
        mistakes={
            "dx is that of the padded image: cut the frame off": same_without_the_crop,
            "the frame is cut off at the wrong sides: x begins at row top and column left": same_cropped_at_the_corner,
        },
        hint="first conv2d_backward with cache.conv, then the H x W pixels from row top and column left on",
    ),
]
