"""Answers to the exercises of notebook 12."""

import numpy as np

from minunet.course.exercises.n12_fast import AT, BT, G
from student_answers.common import RIGHT, SOLUTION


def row_by_four_products(x, weight):
    y = np.zeros(len(x) - 2)
    for t in range(0, len(y), 2):
        y[t : t + 2] = AT @ ((G @ weight) * (BT @ x[t : t + 4]))
    return y


def row_backward_by_the_definition(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros(len(x)), np.zeros(3)
    for k in range(3):
        dx[k : k + len(dy)] += weight[k] * dy
        dweight[k] = dy @ x[k : k + len(dy)]
    return dx, dweight


def columns_one_by_one(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    OW = W - KW + 1
    dx = np.zeros((N, C, H, W))
    for n, row, column in np.ndindex(dcolumns.shape):
        c, tap = divmod(row, KH * KW)
        (kh, kw), (h, w) = divmod(tap, KW), divmod(column, OW)
        dx[n, c, h + kh, w + kw] += dcolumns[n, row, column]
    return dx


def columns_as_a_mean_over_taps(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    return columns_one_by_one(dcolumns, cache) / (KH * KW)


def columns_for_square_kernels(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    return columns_one_by_one(dcolumns.reshape(N, C, KH, KW, -1).swapaxes(2, 3).reshape(dcolumns.shape), cache)


def columns_without_the_batch(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    return np.repeat(columns_one_by_one(dcolumns[:1], ((1, C, H, W), KH, KW)), N, axis=0)


def row_of_two_tiles(x, weight):
    first, second = (AT @ ((G @ weight) * (BT @ x[t : t + 4])) for t in (0, 2))
    return np.concatenate([first, second])


def row_of_overlapping_tiles(x, weight):
    """A tile at every pixel, in place of every second one."""
    return np.array([AT @ ((G @ weight) * (BT @ x[t : t + 4])) for t in range(len(x) - 3)])[:, 0]


def row_of_disjoint_tiles(x, weight):
    tiles = x[: len(x) // 4 * 4].reshape(-1, 4)
    return np.concatenate([AT @ ((G @ weight) * (BT @ tile)) for tile in tiles])


def row_backward_tile_by_tile(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros(len(x)), np.zeros(3)
    for t in range(0, len(dy), 2):
        dproducts = AT.T @ dy[t : t + 2]
        dweight += G.T @ (dproducts * (BT @ x[t : t + 4]))
        dx[t : t + 4] += BT.T @ (dproducts * (G @ weight))
    return dx.tolist(), dweight.tolist()


def row_backward_with_exchanged_factors(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros(len(x)), np.zeros(3)
    for t in range(0, len(dy), 2):
        dproducts = AT.T @ dy[t : t + 2]
        dweight += G.T @ (dproducts * (G @ weight))
        dx[t : t + 4] += BT.T @ (dproducts * (BT @ x[t : t + 4]))
    return dx, dweight


def row_backward_that_leaves_dweight(dy, cache):
    return row_backward_tile_by_tile(dy, cache)[0], np.zeros(3)


ANSWERS = [
    ("im2col_backward", lambda *args: SOLUTION["im2col_backward"](*args).astype(int), "cut off to whole numbers"),
    ("winograd_row", row_by_four_products, RIGHT),
    ("winograd_row", lambda x, weight: np.correlate(x, weight, mode="valid"), "not made by Winograd's four products"),
    ("winograd_row", lambda x, weight: np.convolve(x, weight, mode="valid"), "weight is turned"),
    ("winograd_row_backward", row_backward_by_the_definition, "not made by Winograd's four products"),
    ("im2col_backward", columns_one_by_one, RIGHT),
    ("im2col_backward", columns_as_a_mean_over_taps, "0.1111 times what it should be"),
    ("im2col_backward", columns_for_square_kernels, "dx differs"),
    ("im2col_backward", columns_without_the_batch, "the tiny case is right, but"),
    ("winograd_row", row_of_two_tiles, "the tiny case is right, but"),
    ("winograd_row", row_of_overlapping_tiles, "y has shape (3,), expected (4,)"),
    ("winograd_row", row_of_disjoint_tiles, "y has shape (2,), expected (4,)"),
    ("winograd_row_backward", row_backward_tile_by_tile, RIGHT),
    ("winograd_row_backward", row_backward_with_exchanged_factors, "dx differs"),
    ("winograd_row_backward", row_backward_that_leaves_dweight, "dweight is 0 everywhere"),
]
