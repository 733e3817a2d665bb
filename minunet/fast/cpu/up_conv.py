"""The same up-convolution as `layers/up_conv.py`, and faster on a CPU: its four taps are one matrix, (C, F I J).

    product[(f i j), (h, w)]   = sum_c    weight[c, (f i j)] * x[n, c, (h, w)]
    y[n, f, 2h+i, 2w+j]        = bias[f] + product[(f i j), (h, w)]

    dx[n, c, (h, w)]           = sum_fij  weight[c, (f i j)] * dproduct[(f i j), (h, w)]      dproduct is dy, sorted
    dweight[c, (f i j)]        = sum_nhw  dproduct[(f i j), (h, w)] * x[n, c, (h, w)]

The readable way makes four products each time, and goes over y, or dx, once for each. Rows of x know nothing of each
other, but that all of them add to dweight; so a few rows at a time are worked on, on all cores.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu.parallel import in_parallel, slices
from minunet.layers.checks import check_gradient, check_up_conv
from minunet.layers.up_conv import UpConvCache

BAND = 2**20  # about so many numbers of x and y together are worked on at once
WORTH = 5 * 10**7  # multiplications: with fewer, threads wait for each other longer than they work


def up_conv_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, UpConvCache]:
    """Do what `minunet.layers.up_conv.up_conv_forward` does; same arguments, results and errors."""
    check_up_conv(x, weight, bias)
    N, C, H, W = x.shape
    F = weight.shape[1]
    taps = weight.reshape(C, 4 * F)
    y = np.empty((N, F, 2 * H, 2 * W), x.dtype)

    def work(rows: slice) -> None:
        for n in range(N):
            product = taps.T @ x[n, :, rows].reshape(C, -1)  # (4 F, C) @ (C, rows W)
            np.add(product.reshape(F, 2, 2, -1, W), bias.reshape(F, 1, 1, 1, 1), out=_sorted(y[n], rows))

    in_parallel(work, _bands(x, weight))
    return y, UpConvCache(x, weight)


def up_conv_backward(dy: Array, cache: UpConvCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.up_conv.up_conv_backward` does; same arguments, results and errors."""
    x, weight = cache
    N, C, H, W = x.shape
    F = weight.shape[1]
    check_gradient(dy, (N, F, 2 * H, 2 * W), x)
    taps = weight.reshape(C, 4 * F)
    dx = np.empty(x.shape, x.dtype)

    def work(rows: slice) -> tuple[Array, Array]:
        dtaps, dbias = 0, 0
        for n in range(N):
            dproduct = np.array(_sorted(dy[n], rows), x.dtype).reshape(4 * F, -1)  # (4 F, rows W)
            dx[n, :, rows] = (taps @ dproduct).reshape(C, -1, W)  # (C, 4 F) @ (4 F, rows W)
            dtaps += dproduct @ x[n, :, rows].reshape(C, -1).T  # (4 F, rows W) @ (rows W, C), the larger matrix first
            dbias += dproduct.reshape(F, -1).sum(axis=1)
        return dtaps, dbias

    dtaps, dbias = (sum(parts) for parts in zip(*in_parallel(work, _bands(x, weight)), strict=True))
    return dx, dtaps.T.reshape(weight.shape), dbias


def _sorted(y: Array, rows: slice) -> Array:
    """Return what some rows of x are painted to, a view of y (F, 2 H, 2 W): (F, 2, 2, rows, W)."""
    band = y[:, 2 * rows.start : 2 * rows.stop]
    F, height, width = band.shape
    return band.reshape(F, height // 2, 2, width // 2, 2).transpose(0, 2, 4, 1, 3)


def _bands(x: Array, weight: Array) -> list[slice]:
    """Cut the rows of x into bands; into one if more would not pay."""
    N, C, H, W = x.shape
    if 4 * x.size * weight.shape[1] < WORTH:
        return [slice(0, H)]
    return slices(H, at_most=max(1, BAND // ((C + 4 * weight.shape[1]) * W)))
