"""More suspects for notebook 14: small versions of bugs that were found in public code, and their right twins.

The notebook names where each was reported. Sizes within a case differ, as in `bug_hunt.py`. The pairs are no layers of
the library, so the right backward passes are here too; the exercises compare with them.
"""

from typing import Any, NamedTuple

import numpy as np

from minunet.course.exercise import Exercise
from minunet.course.stride_and_padding import strided_conv_backward, strided_conv_forward
from minunet.data.tiles import mirrored_indices

rng = np.random.default_rng(141)
normal = rng.standard_normal

SOFTMAX = (normal((2, 3, 4, 5)),)
MIRROR = normal((2, 3, 5, 6)), 1
STRIDED = normal((2, 3, 7, 9)), normal((4, 3, 3, 2)), normal(4), 2
STANDARDISE = (normal((2, 3, 4, 5)),)
TIES = (np.maximum(normal((2, 3, 4, 6)), 0),)  # as after a ReLU: about half of the pixels are 0


def softmax_forward(x):
    """Return p, (N, K, H, W): x as probabilities over axis 1. The cache is p."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def suspect_softmax(dy, cache):
    p = cache
    return dy * p * (1 - p)


def softmax_backward(dy, cache):
    p = cache
    return p * (dy - (dy * p).sum(axis=1, keepdims=True))


def softmax_summed_over_all(dy, cache):
    p = cache
    return p * (dy - (dy * p).sum())


class MirrorCache(NamedTuple):
    shape: tuple[int, int, int, int]  # of x
    rows: np.ndarray  # (H + 2 * margin,): the row of x that each row of y shows
    columns: np.ndarray  # (W + 2 * margin,)


def mirror_forward(x, margin):
    """Return x with a mirrored margin on all sides, (N, C, H + 2 * margin, W + 2 * margin)."""
    rows, columns = (mirrored_indices(-margin, size + 2 * margin, size) for size in x.shape[2:])
    return x[:, :, rows[:, None], columns], MirrorCache(x.shape, rows, columns)


def suspect_mirror(dy, cache):
    shape, rows, columns = cache
    dx = np.zeros(shape)
    dx[:, :, rows[:, None], columns] += dy
    return dx


def mirror_backward(dy, cache):
    shape, rows, columns = cache
    dx = np.zeros(shape)
    index: Any = (slice(None), slice(None), rows[:, None], columns)
    np.add.at(dx, index, dy)
    return dx


def suspect_strided_conv(dy, cache):
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(weight.shape[2:]):
        rows, columns = slice(kh, kh + OH), slice(kw, kw + OW)
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias


def strided_dweight_alone(dy, cache):
    """Repair dweight, and leave dx as it was."""
    return suspect_strided_conv(dy, cache)[0], *strided_conv_backward(dy, cache)[1:]


class StandardiseCache(NamedTuple):
    y: np.ndarray  # (N, C, H, W)
    deviation: np.ndarray  # (1, C, 1, 1)


def standardise_forward(x):
    """Return y = (x - mean) / deviation, both over N, H and W: each channel has mean 0 and deviation 1."""
    mean, deviation = (f(x, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.std))
    y = (x - mean) / deviation
    return y, StandardiseCache(y, deviation)


def suspect_standardise(dy, cache):
    y, deviation = cache
    return (dy - dy.mean(axis=(0, 2, 3), keepdims=True)) / deviation


def standardise_backward(dy, cache):
    y, deviation = cache
    through_mean = dy.mean(axis=(0, 2, 3), keepdims=True)
    through_deviation = y * (dy * y).mean(axis=(0, 2, 3), keepdims=True)
    return (dy - through_mean - through_deviation) / deviation


def standardise_by_a_constant(dy, cache):
    return dy / cache.deviation


class WindowsCache(NamedTuple):
    x: np.ndarray  # (N, C, H, W)
    y: np.ndarray  # (N, C, H / 2, W / 2)


def largest_forward(x):
    """Return the largest of each 2x2 window."""
    N, C, H, W = x.shape
    y = x.reshape(N, C, H // 2, 2, W // 2, 2).max(axis=(3, 5))
    return y, WindowsCache(x, y)


def suspect_largest(dy, cache):
    x, y = cache
    largest = x == y.repeat(2, axis=2).repeat(2, axis=3)
    return largest * dy.repeat(2, axis=2).repeat(2, axis=3)


def repair_case(forward, *args) -> tuple:
    """Return (dy, cache) for these arguments, with a dy of whole numbers."""
    y, cache = forward(*args)
    return rng.integers(-3, 4, y.shape).astype(float), cache


TINY_MIRROR = np.arange(9.0).reshape(1, 1, 3, 3), 1
TINY_STRIDED = np.arange(20.0).reshape(1, 1, 4, 5), np.array([[[[1.0, 2], [3, 4]]]]), np.zeros(1), 2

EXERCISES = [
    Exercise(
        "repaired_softmax_backward",
        solution=softmax_backward,
        outputs=("dx",),
        args=repair_case(softmax_forward, np.log(np.array([[1.0, 2], [1, 1], [2, 1]])).reshape(1, 3, 1, 2)),
        more=(repair_case(softmax_forward, normal((2, 4, 3, 2))),),
        pair=(softmax_forward, SOFTMAX),
        mistakes={
            "this is the suspect as it was: it has each class alone, as if the others did not move": suspect_softmax,
            "the sum is over the K classes of a pixel, and each pixel has its own": softmax_summed_over_all,
        },
        hint="dx = p * (dy - s), with one number s for each pixel: a sum over its K classes",
    ),
    Exercise(
        "repaired_mirror_backward",
        solution=mirror_backward,
        outputs=("dx",),
        args=repair_case(mirror_forward, *TINY_MIRROR),
        more=(repair_case(mirror_forward, normal((2, 3, 5, 4)), 2),),
        pair=(mirror_forward, MIRROR),
        mistakes={
            "this is the suspect as it was: a pixel that y shows twice should receive twice": suspect_mirror,
        },
        hint="np.add.at(dx, index, dy) adds as often as an element is named in the index",
    ),
    Exercise(
        "repaired_strided_conv_backward",
        solution=strided_conv_backward,
        outputs=("dx", "dweight", "dbias"),
        args=repair_case(strided_conv_forward, *TINY_STRIDED),
        more=(repair_case(strided_conv_forward, normal((2, 3, 8, 7)), normal((2, 3, 3, 2)), normal(2), 3),),
        pair=(strided_conv_forward, STRIDED),
        mistakes={
            "this is the suspect as it was: which cached number does it never use?": suspect_strided_conv,
            "dweight is repaired, and dx still writes where no tap has read": strided_dweight_alone,
        },
        hint="the slices of the backward pass are those of the forward pass, with the same step",
    ),
    Exercise(
        "repaired_standardise_backward",
        solution=standardise_backward,
        outputs=("dx",),
        args=repair_case(standardise_forward, np.array([[1.0, 3], [5, 7]]).reshape(1, 1, 2, 2)),
        more=(repair_case(standardise_forward, normal((3, 2, 2, 4))),),
        pair=(standardise_forward, STANDARDISE),
        mistakes={
            "this is the suspect as it was: the deviation depends on x too": suspect_standardise,
            "mean and deviation both depend on x: this treats them as constants": standardise_by_a_constant,
        },
        hint="three ways from x to y: directly, through the mean, and through the deviation; the last one has y in it",
    ),
]
