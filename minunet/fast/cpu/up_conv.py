"""The same up-convolution as `layers/up_conv.py`, faster on a CPU: its four taps are one matrix, (C, F I J).

    product[(f i j), (h, w)]   = sum_c    weight[c, (f i j)] * x[n, c, (h, w)]
    y[n, f, 2h+i, 2w+j]        = bias[f] + product[(f i j), (h, w)]

    dx[n, c, (h, w)]           = sum_fij  weight[c, (f i j)] * dproduct[(f i j), (h, w)]
    dweight[c, (f i j)]        = sum_nhw  dproduct[(f i j), (h, w)] * x[n, c, (h, w)]

where dproduct[(f i j), (h, w)] = dy[n, f, 2h+i, 2w+j].

The readable way makes four products, and each of them goes over all of y, or dx. Here a part is some rows of x; the
parts are independent of each other, but for dweight and dbias, which are the sums over all parts.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu.parallel import in_parallel, parts_of
from minunet.fast.same_as import same_as
from minunet.layers import up_conv as readable
from minunet.layers.checks import check_gradient, check_up_conv
from minunet.layers.up_conv import UpConvCache


@same_as(readable.up_conv_forward)
def up_conv_forward(x, weight, bias):
    check_up_conv(x, weight, bias)
    N, C, H, W = x.shape
    F = weight.shape[1]
    taps = weight.reshape(C, 4 * F)
    y = np.empty((N, F, 2 * H, 2 * W), x.dtype)

    def work(rows: slice) -> None:
        for n in range(N):
            product = taps.T @ x[n, :, rows].reshape(C, -1)  # (4 F, C) @ (C, rows W)
            np.add(product.reshape(F, 2, 2, -1, W), bias.reshape(F, 1, 1, 1, 1), out=_blocks(y[n], rows))

    in_parallel(work, _parts(x, weight))
    return y, UpConvCache(x, weight)


@same_as(readable.up_conv_backward)
def up_conv_backward(dy, cache):
    x, weight = cache
    N, C, H, W = x.shape
    F = weight.shape[1]
    check_gradient(dy, (N, F, 2 * H, 2 * W), x)
    taps = weight.reshape(C, 4 * F)
    dx = np.empty(x.shape, x.dtype)

    def work(rows: slice) -> tuple[Array, Array]:
        dtaps, dbias = np.zeros((4 * F, C), x.dtype), np.zeros(F, x.dtype)
        for n in range(N):
            dproduct = np.array(_blocks(dy[n], rows), x.dtype).reshape(4 * F, -1)  # (4 F, rows W)
            dx[n, :, rows] = (taps @ dproduct).reshape(C, -1, W)  # (C, 4 F) @ (4 F, rows W)
            dtaps += dproduct @ x[n, :, rows].reshape(C, -1).T  # (4 F, rows W) @ (rows W, C), the larger matrix first
            dbias += dproduct.reshape(F, -1).sum(axis=1)
        return dtaps, dbias

    dtaps_of_parts, dbias_of_parts = zip(*in_parallel(work, _parts(x, weight)), strict=True)
    return dx, sum(dtaps_of_parts).T.reshape(weight.shape), sum(dbias_of_parts)


def _blocks(y: Array, rows: slice) -> Array:
    """Return a view of y (F, 2 H, 2 W): the 2x2 blocks that some rows of x paint, (F, 2, 2, rows, W)."""
    painted = y[:, 2 * rows.start : 2 * rows.stop]
    F, height, width = painted.shape
    return painted.reshape(F, height // 2, 2, width // 2, 2).transpose(0, 2, 4, 1, 3)


def _parts(x: Array, weight: Array) -> list[slice]:
    """Return parts of the rows of x (N, C, H, W), each small enough to stay in cache; one if more do not pay."""
    N, C, H, W = x.shape
    F = weight.shape[1]
    if 4 * x.size * F < thresholds.PARALLEL_MULTIPLICATIONS:
        return [slice(0, H)]
    return parts_of(H, at_most=max(1, thresholds.UP_CONV_PART // ((C + 4 * F) * W)))
