"""Answers to the exercises of notebook 02."""

import numpy as np

from minunet import layers
from student_answers.common import RIGHT, SOLUTION


def six_loops(x, weight, bias):
    (N, _, H, W), (F, _, KH, KW) = x.shape, weight.shape
    y = np.empty((N, F, H - KH + 1, W - KW + 1))
    for n, f, h, w in np.ndindex(y.shape):
        y[n, f, h, w] = (x[n, :, h : h + KH, w : w + KW] * weight[f]).sum() + bias[f]
    return y


def by_windows(x, weight, bias):
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.tensordot(windows, weight, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + bias[:, None, None]


def for_square_kernels(x, weight, bias):
    K = weight.shape[2]
    return six_loops(x, weight[:, :, :K, :K], bias)[:, :, :, : x.shape[3] - K + 1]


def bias_of_the_first_feature(x, weight, bias):
    return six_loops(x, weight, 0 * bias) + bias[0]


def dx_by_padding(dy, cache):
    _, C, KH, KW = cache.weight.shape
    padded = np.pad(dy, [(0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)])
    return six_loops(padded, cache.weight.swapaxes(0, 1)[..., ::-1, ::-1], np.zeros(C))


ANSWERS = [
    ("conv2d_forward", six_loops, RIGHT),
    ("conv2d_forward", by_windows, RIGHT),
    ("conv2d_forward", lambda *args: six_loops(*args).tolist(), RIGHT),
    ("conv2d_forward", lambda *args: layers.conv.conv2d_forward(*args)[0], RIGHT),
    ("conv2d_forward", lambda *args: layers.conv.conv2d_forward(*args), "y should be an array"),
    ("conv2d_forward", for_square_kernels, "but with (2, 3, 6, 5), (4, 3, 3, 2), (4,), y has shape"),
    ("conv2d_forward", bias_of_the_first_feature, "the tiny case is right, but"),
    ("conv2d_forward", lambda *args: six_loops(*args).astype(np.float32), "equal to about 8 digits"),
    ("conv2d_forward", lambda *args: six_loops(*args).astype(int), "cut off to whole numbers"),
    ("conv2d_forward", lambda x, weight, bias: six_loops(x, weight[..., ::-1, ::-1], bias), "turned by half a turn"),
    ("conv2d_dx", dx_by_padding, RIGHT),
    ("conv2d_dx", lambda dy, cache: -dx_by_padding(dy, cache), "wrong sign"),
    ("conv2d_dx", lambda dy, cache: dx_by_padding(dy, cache)[0], "dx has shape"),
    ("conv2d_dweight", lambda dy, cache: SOLUTION["conv2d_dweight"](dy, cache) / dy.size, "is a mean"),
    ("conv2d_backward", lambda *args: [gradient.tolist() for gradient in SOLUTION["conv2d_backward"](*args)], RIGHT),
    ("conv2d_backward", lambda *args: tuple(SOLUTION["conv2d_backward"](*args))[:2], "returns 2 things"),
    ("conv2d_backward", lambda *args: dict(zip("abc", SOLUTION["conv2d_backward"](*args), strict=True)), "one dict"),
    ("conv2d_backward", lambda *args: (g for g in SOLUTION["conv2d_backward"](*args)), "one generator"),
]
