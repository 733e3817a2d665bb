"""The exercises of notebook 04: the matrix of a strided convolution, and the backward pass of the up-convolution."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.layers.pool import CORNERS
from minunet.layers.up_conv import UpConvCache, up_conv_backward, up_conv_forward

rng = np.random.default_rng(4)


def few_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def up_conv_case(N: int, C: int, H: int, W: int, F: int) -> tuple:
    """Return (dy, cache)."""
    _, cache = up_conv_forward(few_whole_numbers(N, C, H, W), few_whole_numbers(C, F, 2, 2), np.zeros(F))
    return few_whole_numbers(N, F, 2 * H, 2 * W), cache


def strided_matrix(weight, H, W):
    OH, OW = H // 2, W // 2
    A = np.zeros((OH * OW, H * W))
    for h, w in np.ndindex(OH, OW):
        for i, j in CORNERS:
            A[h * OW + w, (2 * h + i) * W + 2 * w + j] = weight[i, j]
    return A


def strided_matrix_transposed(weight, H, W):
    return strided_matrix(weight, H, W).T


def strided_matrix_taps_swapped(weight, H, W):
    return strided_matrix(weight.T, H, W)


def strided_matrix_at_stride_one(weight, H, W):
    OH, OW = H // 2, W // 2
    A = np.zeros((OH * OW, H * W))
    for h, w in np.ndindex(OH, OW):
        for i, j in CORNERS:
            A[h * OW + w, (h + i) * W + w + j] = weight[i, j]
    return A


def strided_matrix_rows_too_short(weight, H, W):
    OH, OW = H // 2, W // 2
    A = np.zeros((OH * OW, H * W))
    for h, w in np.ndindex(OH, OW):
        for i, j in CORNERS:
            A[h * OW + w, (2 * h + i) * OW + 2 * w + j] = weight[i, j]
    return A


def up_dx(dy, cache):
    return up_conv_backward(dy, cache)[0]


def up_dx_taps_swapped(dy, cache):
    return up_dx(dy, cache._replace(weight=cache.weight.swapaxes(2, 3)))


def up_dx_turned(dy, cache):
    return up_dx(dy, cache._replace(weight=cache.weight[..., ::-1, ::-1]))


def up_dx_of_one_tap(dy, cache):
    return np.einsum("cf,nfhw->nchw", cache.weight[:, :, 1, 1], dy[:, :, 1::2, 1::2])


def up_dx_without_weight(dy, cache):
    return up_dx(dy, cache._replace(weight=np.ones_like(cache.weight)))


def up_dweight(dy, cache):
    return up_conv_backward(dy, cache)[1]


def up_dweight_taps_swapped(dy, cache):
    return up_dweight(dy, cache).swapaxes(2, 3)


def up_dweight_turned(dy, cache):
    return up_dweight(dy, cache)[..., ::-1, ::-1]


def up_dweight_averaged(dy, cache):
    N, _, H, W = cache.x.shape
    return up_dweight(dy, cache) / (N * H * W)


def up_gradients_in_the_wrong_order(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dweight, dx, dbias


def up_dbias_is_a_mean(dy, cache):
    dx, dweight, _ = up_conv_backward(dy, cache)
    return dx, dweight, dy.mean(axis=(0, 2, 3))


def without_up_dbias(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dx, dweight, 0 * dbias


def up_dbias_of_one_corner(dy, cache):
    dx, dweight, _ = up_conv_backward(dy, cache)
    return dx, dweight, dy[:, :, ::2, ::2].sum(axis=(0, 2, 3))


UP_TINY = up_conv_case(1, 1, 2, 3, 1)
UP_FURTHER = (
    up_conv_case(2, 3, 4, 3, 2),
    (rng.normal(size=(3, 4, 2, 10)), UpConvCache(rng.normal(size=(3, 1, 1, 5)), rng.normal(size=(1, 4, 2, 2)))),
    (rng.normal(size=(1, 1, 8, 4)), UpConvCache(rng.normal(size=(1, 5, 4, 2)), rng.normal(size=(5, 1, 2, 2)))),
)

EXERCISES = [
    Exercise(
        "strided_matrix",
        solution=strided_matrix,
        outputs=("A",),
        args=(np.array([[1.0, -2.0], [3.0, 4.0]]), 4, 2),
        more=((few_whole_numbers(2, 2), 4, 6), (few_whole_numbers(2, 2), 8, 4), (rng.normal(size=(2, 2)), 2, 10)),
        mistakes={
            "this is A transposed: a row belongs to a pixel of the small image, a column to one of the large": (
                strided_matrix_transposed
            ),
            "rows and columns of the kernel are swapped: weight[i, j] belongs to row 2h + i, column 2w + j": (
                strided_matrix_taps_swapped
            ),
            "this is stride 1: window (h, w) begins at row 2h, column 2w": strided_matrix_at_stride_one,
            "a row of the large image has W pixels, so its pixel [r, c] is number r * W + c": (
                strided_matrix_rows_too_short
            ),
        },
        hint="write down row 0: which four pixels of large does small[0, 0] read, and at which places of the column?",
    ),
    Exercise(
        "up_conv_dx",
        solution=up_dx,
        outputs=("dx",),
        args=UP_TINY,
        more=UP_FURTHER,
        ready_made=("up_conv_backward", "up_conv_gradients"),
        mistakes={
            "only the last tap is collected: a pixel of x painted four pixels, so dx needs +=": up_dx_of_one_tap,
            "rows and columns of the kernel are swapped: weight[:, :, i, j] painted row 2h + i, column 2w + j": (
                up_dx_taps_swapped
            ),
            "the kernel is turned: a pixel of dy comes back through the tap that painted it": up_dx_turned,
            "the weight is missing: each pixel of dy is multiplied by the tap that painted it": up_dx_without_weight,
        },
        hint="x[h, w] painted one 2x2 block of y: multiply the same block of dy by the kernel, and sum",
    ),
    Exercise(
        "up_conv_dweight",
        solution=up_dweight,
        outputs=("dweight",),
        args=UP_TINY,
        more=UP_FURTHER,
        ready_made=("up_conv_backward", "up_conv_gradients"),
        mistakes={
            "rows and columns are swapped: tap (i, j) painted rows i::2, columns j::2": up_dweight_taps_swapped,
            "the kernel is turned: tap (i, j) painted rows i::2, columns j::2": up_dweight_turned,
            "this is a mean over the pixels: each use of a tap adds its share, so it is a sum": up_dweight_averaged,
        },
        hint="tap (i, j) met every pixel x[h, w] once, and painted y[2h + i, 2w + j] with it",
    ),
    Exercise(
        "up_conv_backward",
        solution=up_conv_backward,
        outputs=("dx", "dweight", "dbias"),
        args=UP_TINY,
        more=UP_FURTHER,
        ready_made=("up_conv_backward", "up_conv_gradients"),
        pair=(up_conv_forward, (rng.normal(size=(2, 3, 2, 4)), rng.normal(size=(3, 2, 2, 2)), rng.normal(size=2))),
        mistakes={
            "the order is that of the forward's arguments, x, weight, bias: dx, dweight, dbias": (
                up_gradients_in_the_wrong_order
            ),
            "dbias is a mean: the bias reaches every pixel of y, and all these effects add up": up_dbias_is_a_mean,
            "every pixel of y got the same bias: dbias sums dy over N, H and W": without_up_dbias,
            "only one pixel of each block is counted: the bias was added to all four": up_dbias_of_one_corner,
        },
        hint="one loop over the four taps gives dx and dweight; dbias needs no loop",
    ),
]
