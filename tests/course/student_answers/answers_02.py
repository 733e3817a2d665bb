"""Answers to the exercises of notebook 02."""

import numpy as np
import scipy

from minunet import layers
from minunet.course.stride_and_padding import StridedConvCache
from minunet.layers.conv import conv2d_backward
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


def dweight_by_correlation(dy, cache):
    x, weight = cache
    dweight = np.zeros(weight.shape)
    for f, c in np.ndindex(weight.shape[:2]):
        for n in range(len(x)):
            dweight[f, c] += scipy.signal.correlate2d(x[n, c], dy[n, f], mode="valid")
    return dweight


def dweight_by_six_loops(dy, cache):
    x, weight = cache
    OH, OW = dy.shape[2:]
    dweight = np.zeros(weight.shape)
    for f, c, kh, kw in np.ndindex(weight.shape):
        dweight[f, c, kh, kw] = (dy[:, f] * x[:, c, kh : kh + OH, kw : kw + OW]).sum()
    return dweight


def dweight_with_the_arguments_exchanged(dy, cache):
    """The order counts in a correlation: the result comes out turned. An online course had it so for years."""
    return dweight_by_six_loops(dy, cache)[..., ::-1, ::-1]


def dweight_of_one_image(dy, cache):
    return dweight_by_six_loops(dy[:1], cache._replace(x=cache.x[:1]))


def dx_with_the_kernel_not_turned(dy, cache):
    return dx_by_padding(dy, cache._replace(weight=cache.weight[..., ::-1, ::-1]))


def dx_of_the_tiny_channels(dy, cache):
    return dx_by_padding(dy[:, :1], cache._replace(weight=cache.weight[:1]))


def y_by_strided_windows(x, weight, bias, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,fcij->nfhw", windows, weight) + bias[:, None, None]


def y_by_strided_loops(x, weight, bias, stride):
    KH, KW = weight.shape[2:]
    rows = []
    for top in range(0, x.shape[2] - KH + 1, stride):
        rows.append([])
        for left in range(0, x.shape[3] - KW + 1, stride):
            window = x[:, None, :, top : top + KH, left : left + KW]
            rows[-1].append((window * weight).sum(axis=(2, 3, 4)))
    return np.moveaxis(np.array(rows), (0, 1), (2, 3)) + bias[:, None, None]


def y_of_windows_without_stride(x, weight, bias, stride):
    """The size of y is right; the window still begins at h and w: the usual mistake in a well-known assignment."""
    (N, _, H, W), (F, _, KH, KW) = x.shape, weight.shape
    y = np.empty((N, F, (H - KH) // stride + 1, (W - KW) // stride + 1))
    for n, f, h, w in np.ndindex(y.shape):
        y[n, f, h, w] = (x[n, :, h : h + KH, w : w + KW] * weight[f]).sum() + bias[f]
    return y


def y_without_the_last_window(x, weight, bias, stride):
    """(H - KH) // stride, and the + 1 is forgotten."""
    return y_by_strided_windows(x, weight, bias, stride)[:, :, :-1, :-1]


def y_with_the_bias_in_every_tap(x, weight, bias, stride):
    return y_by_strided_windows(x, weight, weight[0, 0].size * bias, stride)


def y_of_square_kernels(x, weight, bias, stride):
    K = weight.shape[2]
    y = y_by_strided_windows(x, weight, bias, stride)
    return y[:, :, : (x.shape[2] - K) // stride + 1, : (x.shape[3] - K) // stride + 1]


def y_of_every_second_pixel(x, weight, bias, stride):
    return layers.conv.conv2d_forward(x, weight, bias)[0][:, :, ::2, ::2]


def gradients_window_by_window(dy, cache):
    x, weight, stride = cache
    KH, KW = weight.shape[2:]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for n, f, h, w in np.ndindex(dy.shape):
        part = n, slice(None), slice(stride * h, stride * h + KH), slice(stride * w, stride * w + KW)
        dx[part] += weight[f] * dy[n, f, h, w]
        dweight[f] += x[part] * dy[n, f, h, w]
    return [dx, dweight, dy.sum(axis=(0, 2, 3))]


def gradients_with_zeros_between(dy, cache):
    """Put zeros between the pixels of dy; where the image is not filled, they are missing at its end."""
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    wide = np.zeros((*dy.shape[:2], stride * (OH - 1) + 1, stride * (OW - 1) + 1))
    wide[:, :, ::stride, ::stride] = dy
    dx = dx_by_padding(wide, cache)
    return dx, SOLUTION["conv2d_with_stride_backward"](dy, cache)[1], dy.sum(axis=(0, 2, 3))


def gradients_averaged_over_the_windows(dy, cache):
    return tuple(gradient / dy[0, 0].size for gradient in SOLUTION["conv2d_with_stride_backward"](dy, cache))


def gradients_for_stride_2(dy, cache):
    return SOLUTION["conv2d_with_stride_backward"](dy, cache._replace(stride=2))


def same_gradients_by_windows(dy, cache):
    conv, top, left = cache
    dx, dweight, dbias = gradients_window_by_window(dy, StridedConvCache(conv.x, conv.weight, 1))
    return dx[:, :, top : top + dy.shape[2], left : left + dy.shape[3]].copy(), dweight, dbias


def same_gradients_as_a_view(dy, cache):
    return SOLUTION["conv2d_same_backward"](dy, cache)


def same_gradients_cut_from_both_sides(dy, cache):
    """-top is too little where the kernel has an even side, and all where top is 0."""
    conv, top, left = cache
    dx, dweight, dbias = conv2d_backward(dy, conv)
    return dx[:, :, top:-top, left:-left], dweight, dbias


def same_gradients_without_the_frame_in_dweight(dy, cache):
    conv, top, left = cache
    dx, _, dbias = SOLUTION["conv2d_same_backward"](dy, cache)
    KH, KW = conv.weight.shape[2:]
    inner = conv.x.copy()
    inner[:, :, :top] = inner[:, :, :, :left] = 99
    return dx, conv2d_backward(dy, conv._replace(x=inner))[1], dbias


def same_gradients_for_a_kernel_of_3(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache.conv)
    return dx[:, :, 1 : 1 + dy.shape[2], 1 : 1 + dy.shape[3]], dweight, dbias


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
    ("conv2d_dx", dx_with_the_kernel_not_turned, "dx differs"),
    ("conv2d_dx", dx_of_the_tiny_channels, "the tiny case is right, but"),
    ("conv2d_dx", lambda dy, cache: SOLUTION["conv2d_backward"](dy, cache), "dx should be an array or a number"),
    ("conv2d_dweight", dweight_by_six_loops, RIGHT),
    ("conv2d_dweight", lambda dy, cache: dweight_by_six_loops(dy, cache).tolist(), RIGHT),
    ("conv2d_dweight", dweight_with_the_arguments_exchanged, "dweight differs"),
    ("conv2d_dweight", dweight_of_one_image, "the tiny case is right, but"),
    ("conv2d_with_stride", y_by_strided_windows, RIGHT),
    ("conv2d_with_stride", y_by_strided_loops, RIGHT),
    ("conv2d_with_stride", y_of_windows_without_stride, "the kernel still moves by one pixel"),
    ("conv2d_with_stride", y_without_the_last_window, "y has shape (1, 1, 1, 1), expected (1, 1, 2, 2)"),
    ("conv2d_with_stride", y_with_the_bias_in_every_tap, "y differs"),
    ("conv2d_with_stride", y_of_square_kernels, "the tiny case is right, but"),
    ("conv2d_with_stride", lambda *args: y_by_strided_windows(*args[:3], 2), "the tiny case is right, but"),
    (
        "conv2d_with_stride",
        lambda *args: layers.conv.conv2d_forward(*args[:3])[0][:, :, ::2, ::2],
        "case is right, but",
    ),
    ("conv2d_with_stride_backward", gradients_window_by_window, RIGHT),
    ("conv2d_with_stride_backward", gradients_with_zeros_between, "but with (2, 4, 3, 3), dx has shape"),
    ("conv2d_with_stride_backward", gradients_averaged_over_the_windows, "0.25 times what it should be"),
    ("conv2d_with_stride_backward", gradients_for_stride_2, "the tiny case is right, but"),
    ("conv2d_same_backward", same_gradients_by_windows, RIGHT),
    ("conv2d_same_backward", same_gradients_as_a_view, RIGHT),
    ("conv2d_same_backward", same_gradients_cut_from_both_sides, "the tiny case is right, but"),
    ("conv2d_same_backward", same_gradients_without_the_frame_in_dweight, "dweight differs"),
    ("conv2d_same_backward", same_gradients_for_a_kernel_of_3, "the tiny case is right, but"),
    ("conv2d_same_backward", lambda dy, cache: conv2d_backward(dy, cache.conv), "cut the frame off"),
]
LONG = [("conv2d_dweight", dweight_by_correlation, RIGHT)]  # to import scipy.signal takes seconds
