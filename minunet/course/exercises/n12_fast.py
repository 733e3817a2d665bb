"""The exercises of notebook 12: im2col's backward pass, and Winograd's F(2, 3) along a row, forward and backward.

im2col copies what each tap reads into a row of one matrix. F(2, 3) makes two neighbouring outputs of a correlation
with three taps from four inputs and four multiplications:

    y[2t : 2t + 2] = AT @ ((G @ weight) * (BT @ x[2t : 2t + 4]))
"""

import numpy as np

from minunet.course.exercise import Exercise

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1.0]])  # (4, 4)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])  # (4, 3)
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1.0]])  # (2, 4)

rng = np.random.default_rng(12)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def im2col(x, KH, KW):
    """Return columns, (N, C * KH * KW, OH * OW), and the cache."""
    N, C, H, W = x.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))  # (N, C, OH, OW, KH, KW)
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * KH * KW, -1)
    return columns, ((N, C, H, W), KH, KW)


def im2col_backward(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    OH, OW = H - KH + 1, W - KW + 1
    dcolumns = dcolumns.reshape(N, C, KH, KW, OH, OW)
    dx = np.zeros((N, C, H, W))
    for kh, kw in np.ndindex(KH, KW):
        dx[:, :, kh : kh + OH, kw : kw + OW] += dcolumns[:, :, kh, kw]
    return dx


def overwritten_columns(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    OH, OW = H - KH + 1, W - KW + 1
    dcolumns = dcolumns.reshape(N, C, KH, KW, OH, OW)
    dx = np.zeros((N, C, H, W))
    for kh, kw in np.ndindex(KH, KW):
        dx[:, :, kh : kh + OH, kw : kw + OW] = dcolumns[:, :, kh, kw]
    return dx


def averaged_columns(dcolumns, cache):
    return im2col_backward(dcolumns, cache) / im2col_backward(np.ones_like(dcolumns), cache)


def mixed_up_columns(dcolumns, cache):
    (N, C, H, W), KH, KW = cache
    OH, OW = H - KH + 1, W - KW + 1
    mixed_up = dcolumns.reshape(N, C, OH, OW, KH, KW).transpose(0, 1, 4, 5, 2, 3)
    return im2col_backward(mixed_up.reshape(dcolumns.shape), cache)


def tiles(x):
    """Return x[0:4], x[2:6], ... as the columns of (4, T)."""
    return np.lib.stride_tricks.sliding_window_view(x, 4)[::2].T


def winograd_row(x, weight):
    products = (G @ weight)[:, None] * (BT @ tiles(x))  # (4, T)
    return (AT @ products).T.ravel()


def row_turned(x, weight):
    return winograd_row(x, weight[::-1])


def row_in_wrong_order(x, weight):
    return winograd_row(x, weight).reshape(-1, 2).T.ravel()


def row_without_halves(x, weight):
    doubled = np.array([1, 2, 2, 1]) * (G @ weight)
    return (AT @ (doubled[:, None] * (BT @ tiles(x)))).T.ravel()


def winograd_row_forward(x, weight):
    return winograd_row(x, weight), (x, weight)


def winograd_row_backward(dy, cache):
    x, weight = cache
    dproducts = AT.T @ dy.reshape(-1, 2).T  # (4, T)
    dweight = G.T @ (dproducts * (BT @ tiles(x))).sum(axis=1)
    dtiles = BT.T @ (dproducts * (G @ weight)[:, None])  # (4, T)
    dx = np.zeros(x.shape)
    for t in range(dtiles.shape[1]):
        dx[2 * t : 2 * t + 4] += dtiles[:, t]
    return dx, dweight


def overwritten_tiles(dy, cache):
    x, weight = cache
    dtiles = BT.T @ (AT.T @ dy.reshape(-1, 2).T * (G @ weight)[:, None])
    dx = np.zeros(x.shape)
    for t in range(dtiles.shape[1]):
        dx[2 * t : 2 * t + 4] = dtiles[:, t]
    return dx, winograd_row_backward(dy, cache)[1]


def last_tile_only(dy, cache):
    x, weight = cache
    return winograd_row_backward(dy, cache)[0], winograd_row_backward(dy[-2:], (x[-4:], weight))[1]


def bt_not_transposed(dy, cache):
    x, weight = cache
    dtiles = BT @ (AT.T @ dy.reshape(-1, 2).T * (G @ weight)[:, None])
    dx = np.zeros(x.shape)
    for t in range(dtiles.shape[1]):
        dx[2 * t : 2 * t + 4] += dtiles[:, t]
    return dx, winograd_row_backward(dy, cache)[1]


def row_is_the_definition(function) -> str:
    """Tell the definition from Winograd by its rounding: 1e20 leaves no digit for a 3 in m1, m2 and m3.

    By the definition y[0] is 1 * 1 + 1 * 2 + 0 * 1e20 = 3, and by Winograd it is 0.
    """
    (y,) = function(np.array([1.0, 2, 1e20, 3]), np.array([1.0, 1, 0]))
    return NOT_WINOGRAD if y[0] == 3 else ""


def row_backward_is_the_definition(function) -> str:
    """Tell it likewise: by the definition dx[2] is 0 * 1e20 + 1 * 1 = 1, and by Winograd 0."""
    dx, _ = function(np.array([1e20, 1.0]), (np.array([1.0, 2, 3, 4]), np.array([0.0, 1, 0])))
    return NOT_WINOGRAD if dx[2] == 1 else ""


NOT_WINOGRAD = "the result is right, but not made by Winograd's four products for two outputs: use BT, G and AT"
ROW, TAPS = np.array([1.0, 2, 3, 5, 4, 0]), np.array([1.0, 2, 3])

EXERCISES = [
    Exercise(
        "im2col_backward",
        solution=im2col_backward,
        outputs=("dx",),
        args=(np.arange(1.0, 37.0).reshape(1, 9, 4), ((1, 1, 4, 4), 3, 3)),
        more=(
            (small_whole_numbers(2, 18, 20), ((2, 3, 6, 6), 3, 2)),
            (rng.normal(size=(3, 3, 20)), ((3, 1, 5, 6), 1, 3)),
            (rng.normal(size=(1, 8, 12)), ((1, 2, 3, 7), 2, 2)),
        ),
        pair=(im2col, (rng.normal(size=(2, 2, 5, 4)), 2, 3)),
        mistakes={
            "taps overwrite each other: a pixel was copied up to KH * KW times, so dx needs +=": overwritten_columns,
            "it is a mean: what was copied nine times has nine ways to the loss, which add up": averaged_columns,
            "the axes of dcolumns are in another order: it is (N, C, KH, KW, OH, OW), flattened": mixed_up_columns,
        },
        hint="give dcolumns its six axes back, (N, C, KH, KW, OH, OW); each tap then adds its part to its block of dx",
    ),
    Exercise(
        "winograd_row",
        solution=winograd_row,
        outputs=("y",),
        args=(ROW, TAPS),
        more=(
            (small_whole_numbers(4), TAPS),
            (small_whole_numbers(10), small_whole_numbers(3)),
            (rng.normal(size=16), rng.normal(size=3)),
        ),
        rule=row_is_the_definition,
        mistakes={
            "weight is turned: tap 0 reads the first pixel of its window": row_turned,
            "first come all first outputs, then all second ones: transpose (2, T), then flatten": row_in_wrong_order,
            "the halves in G are missing: m1 and m2 hold (w0 + w1 + w2) / 2 and (w0 - w1 + w2) / 2": row_without_halves,
        },
        hint="the first tile is x[0:4], the next x[2:6]; try your function on a row of four, where there is one tile",
    ),
    Exercise(
        "winograd_row_backward",
        solution=winograd_row_backward,
        outputs=("dx", "dweight"),
        args=(np.array([1.0, -1, 2, 0]), (ROW, TAPS)),
        more=(
            (small_whole_numbers(8), (small_whole_numbers(10), small_whole_numbers(3))),
            (rng.normal(size=2), (rng.normal(size=4), rng.normal(size=3))),
            (rng.normal(size=14), (rng.normal(size=16), rng.normal(size=3))),
        ),
        rule=row_backward_is_the_definition,
        pair=(winograd_row_forward, (rng.normal(size=12), rng.normal(size=3))),
        mistakes={
            "tiles overwrite each other: neighbours share two pixels, so dx needs +=": overwritten_tiles,
            "only the last tile counts in dweight: sum over the tiles": last_tile_only,
            "BT is not transposed on the way back: what was BT @ forward is BT.T @ backward": bt_not_transposed,
        },
        hint="go through the equation from left to right: AT.T, then the product (two factors), then G.T and BT.T",
    ),
]
