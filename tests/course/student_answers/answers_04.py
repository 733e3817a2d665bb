"""Answers to the exercises of notebook 04."""

import numpy as np

from minunet.layers.pool import CORNERS
from minunet.layers.up_conv import up_conv_forward
from student_answers.common import RIGHT, SOLUTION


def matrix_of_unit_images(weight, H, W):
    """Column by column: what the strided convolution makes of an image with a single 1."""
    columns = []
    for r, c in np.ndindex(H, W):
        small = np.zeros((H // 2, W // 2))
        small[r // 2, c // 2] = weight[r % 2, c % 2]
        columns.append(small.ravel().tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def matrix_of_the_turned_kernel(weight, H, W):
    return SOLUTION["strided_matrix"](weight[::-1, ::-1], H, W)


def matrix_for_4_by_2(weight, H, W):
    return SOLUTION["strided_matrix"](weight, 4, 2)


def up_dx_summed_over_the_block(dy, cache):
    N, F, H, W = dy.shape
    return dy.reshape(N, F, H // 2, 2, W // 2, 2).sum(axis=(3, 5))


def up_dx_by_the_forward_pass(dy, cache):
    """Run the up-convolution itself on dy: as if the way back were the way there."""
    return up_conv_forward(dy, cache.weight.swapaxes(0, 1), np.zeros(cache.weight.shape[0]))[0]


def up_dweight_by_loops(dy, cache):
    x, weight = cache
    dweight = np.zeros(weight.shape)
    for c, f, i, j in np.ndindex(weight.shape):
        dweight[c, f, i, j] = (x[:, c] * dy[:, f, i::2, j::2]).sum()
    return dweight


def up_dweight_of_the_last_pixel(dy, cache):
    return up_dweight_by_loops(dy[:, :, -2:, -2:], cache._replace(x=cache.x[:, :, -1:, -1:]))


def up_dweight_with_the_channels_exchanged(dy, cache):
    return up_dweight_by_loops(dy, cache).swapaxes(0, 1)


def up_gradients_by_pixels(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for n, h, w in np.ndindex(len(x), *x.shape[2:]):
        block = dy[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]
        dx[n, :, h, w] = (weight * block).sum(axis=(1, 2, 3))
        dweight += x[n, :, h, w][:, None, None, None] * block
    return np.array(dx), dweight.tolist(), dy.sum(axis=(0, 2, 3))


def up_gradients_with_dbias_of_x(dy, cache):
    dx, dweight, _ = SOLUTION["up_conv_backward"](dy, cache)
    return dx, dweight, dx.sum(axis=(0, 2, 3))


def up_gradients_that_overwrite(dy, cache):
    dx, dweight = np.zeros(cache.x.shape), np.zeros(cache.weight.shape)
    for i, j in CORNERS:
        dx = np.einsum("cf,nfhw->nchw", cache.weight[:, :, i, j], dy[:, :, i::2, j::2])
        dweight[:, :, i, j] = np.einsum("nchw,nfhw->cf", cache.x, dy[:, :, i::2, j::2])
    return dx, dweight, dy.sum(axis=(0, 2, 3))


ANSWERS = [
    ("strided_matrix", lambda weight, H, W: SOLUTION["strided_matrix"](weight, H, W).astype(int), "cut off to whole"),
    ("strided_matrix", lambda weight, H, W: np.kron(np.eye(H // 2 * W // 2), weight.reshape(1, 4)), "A differs"),
    (
        "up_conv_dx",
        lambda dy, c: sum(np.einsum("cf,nfhw->nchw", c.weight[:, :, i, j], dy[:, :, i::2, j::2]) for i, j in CORNERS),
        RIGHT,
    ),
    (
        "up_conv_dx",
        lambda dy, c: np.einsum(
            "cfij,nfhiwj->nchw", c.weight, dy.reshape(*dy.shape[:2], dy.shape[2] // 2, 2, dy.shape[3] // 2, 2)
        ),
        RIGHT,
    ),
    ("up_conv_dweight", lambda dy, cache: SOLUTION["up_conv_dweight"](dy, cache)[0, 0], "dweight has shape (2, 2)"),
    ("up_conv_backward", lambda *args: SOLUTION["up_conv_backward"](*args)[::-1], "has shape"),
    ("strided_matrix", matrix_of_unit_images, RIGHT),
    ("strided_matrix", matrix_of_the_turned_kernel, "A differs"),
    ("strided_matrix", matrix_for_4_by_2, "the tiny case is right, but"),
    ("up_conv_dx", up_dx_summed_over_the_block, "dx differs"),
    ("up_conv_dx", up_dx_by_the_forward_pass, "dx has shape"),
    ("up_conv_dx", lambda dy, cache: dy[:, :, ::2, ::2], "dx differs"),
    ("up_conv_dweight", up_dweight_by_loops, RIGHT),
    ("up_conv_dweight", up_dweight_of_the_last_pixel, "dweight differs"),
    ("up_conv_dweight", up_dweight_with_the_channels_exchanged, "the tiny case is right, but"),
    ("up_conv_backward", up_gradients_by_pixels, RIGHT),
    ("up_conv_backward", up_gradients_with_dbias_of_x, "differs"),
    ("up_conv_backward", up_gradients_that_overwrite, "dx differs"),
]
