"""Winograd's convolution along the rows, F(4, 3): a 3x3 convolution with half of the multiplications.

`winograd.py` explains the idea: evaluate at the points 0, 1, -1, 2, -2 and infinity, multiply, interpolate. Here only
the rows of the kernel are treated so; its columns stay as they are. Four rows of y see six rows of x:

    V[i]   = sum_h   B[i, h] x[h]                            evaluate six rows of x              6 x 6
    U[i]   = sum_kh  G[i, kh] taps[kh]                       evaluate the kernels                6 x 3
    M[i]   = U[i] @ (V[i] shifted by kw = 0, 1, 2)           6 products, (F, 3 C) @ (3 C, OW)
    y[h]   = sum_i   A[h, i] M[i]                            interpolate four rows of y          4 x 6

The direct way takes 9 C multiplications for each number of y; this one takes 6 * 3 C for four of them, a half. Along
both axes it would be a quarter, but evaluation and interpolation would cost more: with 32 to 200 channels this is
quicker.

dx is the same convolution, of dy in a frame of zeros and with the kernel turned; see `direct.py`. What was evaluated
for dx serves dweight as well, which interpolates four rows of x: the correlation is the transpose of the convolution.

    X[i]   = sum_h  A[h, i] x[h]             dU[i] = D[i] @ X[i].T             dtaps[kh] = sum_i  G[i, kh] dU[i]

where D[i] are the evaluated rows of dy, shifted by kw.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.direct import bias_along_row, by_image, finish, framed_band, in_order, sum_of_pixels, total
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.cpu.winograd import A, B, G


def forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Do what `direct.forward` does, for a kernel of 3x3."""
    images = rows_of(x)
    N, H, C, W = images.shape
    F = len(weight)
    y = by_rows.empty(N, F, H - 2, W - 2, x.dtype)
    rows, U, is_long = rows_of(y), _evaluate_kernels(weight), _products_are_long(weight)
    bias_of_row = bias_along_row(bias, W - 2)

    def work(band: Band) -> None:
        start, stop = 4 * band.start, 4 * band.stop  # a band is some groups of four rows
        out = rows[band.image, start:stop]
        D = _evaluate(_with_rows(images[band.image, start : stop + 2], stop - start + 2), is_long)
        _interpolate(_products(U, D), out, is_long)
        finish(out, bias_of_row, with_relu)

    in_parallel(work, _bands(N, H - 2, max(3 * C, F) * W))
    return y


def backward(dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Do what `direct.backward` does, for a kernel of 3x3."""
    images = rows_of(x)
    N, H, C, W = images.shape
    F = len(weight)
    dx = by_rows.empty(N, C, H, W, x.dtype) if with_dx else None
    dx_rows = None if dx is None else rows_of(dx)
    dy_rows, y_rows = dy.transpose(0, 2, 1, 3), None if y is None else y.transpose(0, 2, 1, 3)
    U = _evaluate_kernels(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))  # (6, C, 3 F)
    is_long = _products_are_long(weight)

    def work(band: Band) -> tuple[Array, Array]:
        n, start, stop = band.image, 4 * band.start, 4 * band.stop
        framed, own = framed_band(dy_rows, y_rows, Band(n, start, stop), 3, 3)
        D = _evaluate(framed, is_long)
        if dx_rows is not None:
            _interpolate(_products(U, D), dx_rows[n, start:stop], is_long)
        return _kernel_gradient(D, images[n, start:stop], is_long), sum_of_pixels(own)

    shares = in_parallel(work, _bands(N, H, max(3 * F, C) * W))
    dU_of_bands, dbias_of_bands = zip(*shares, strict=True)
    dtaps = in_order([_of_kernels(G.T, dU.reshape(6, -1)) for dU in by_image(dU_of_bands, N)])
    dtaps = dtaps.reshape(3, 3, F, C)  # (kh, kw, f, c) of the turned kernel
    return dx, np.ascontiguousarray(dtaps[::-1, ::-1].transpose(2, 3, 0, 1)), total(dbias_of_bands, N)


def _products_are_long(weight: Array) -> bool:
    """Return whether all groups of a band share a product, for each point; else each group has its own."""
    return min(weight.shape[:2]) >= thresholds.LONG_PRODUCTS


def _bands(N: int, rows: int, numbers: int) -> list[Band]:
    """Return bands of groups of four rows; a row takes so many numbers once it is evaluated."""
    return bands(N, math.ceil(rows / 4), 6 * numbers // 2)


def _evaluate_kernels(weight: Array) -> Array:
    """Return U, (6, F, 3 C) with the columns of the kernel beside each other, of weight (F, C, 3, 3)."""
    F, C = weight.shape[:2]
    taps = np.ascontiguousarray(weight.transpose(2, 0, 3, 1)).reshape(3, -1)  # kh, (f kw c)
    return _of_kernels(G, taps).reshape(6, F, 3 * C)


def _of_kernels(matrix: Array, kernels: Array) -> Array:
    """Return matrix @ kernels, on one core.

    For such a short product BLAS would wake its own threads, and these stay awake for a while: they would keep the
    threads of the next call of `in_parallel` from their cores.
    """
    return in_parallel(lambda factor: factor @ kernels, [matrix.astype(kernels.dtype)])[0]


def _evaluate(x: Array, is_long: bool) -> Array:
    """Return D, the points of x (4 groups + 2, C, W) shifted by each column of the kernel.

    It is (groups, 6, 3 C, W - 2), or (6, 3 C, groups (W - 2)) for long products.
    """
    H, C, W = x.shape
    groups, OW = (H - 2) // 4, W - 2
    row = C * W * x.itemsize  # bytes
    six = as_strided(x, (groups, 6, C * W), (4 * row, row, x.itemsize))
    V = memory.empty((groups, 6, C * W), x.dtype)
    np.matmul(B.astype(x.dtype), six, out=V)
    V = V.reshape(groups, 6, C, W)
    D = memory.empty((6, 3, C, groups, OW) if is_long else (groups, 6, 3, C, OW), x.dtype)
    by_group = D.transpose(3, 0, 1, 2, 4) if is_long else D
    for kw in range(3):
        by_group[:, :, kw] = V[..., kw : kw + OW]
    return D.reshape(6, 3 * C, groups * OW) if is_long else D.reshape(groups, 6, 3 * C, OW)


def _products(a: Array, b: Array) -> Array:
    """Return a @ b, in parts of the rows of a: OpenBLAS does not pack the factors of small products."""
    M, K = a.shape[-2:]
    *batch, _, N = b.shape
    parts = 1
    while len(batch) > 1 and M * K * N > thresholds.SMALL_PRODUCT * parts and M % (2 * parts) == 0 and M // parts > 16:
        parts *= 2
    out = memory.empty((*batch, parts, M // parts, N), b.dtype)
    np.matmul(a.reshape(*a.shape[:-2], parts, M // parts, K), b[..., None, :, :], out=out)
    return out.reshape(*batch, M, N)


def _interpolate(M: Array, out: Array, is_long: bool) -> None:
    """Write the rows that M stands for to `out` (up to 4 groups, F, OW); M is (groups, 6, F, OW), or as `_evaluate`."""
    F, OW = out.shape[1:]
    groups = math.ceil(len(out) / 4)
    fits = len(out) == 4 * groups
    if fits and not is_long:
        np.matmul(A.astype(M.dtype), M.reshape(groups, 6, F * OW), out=out.reshape(groups, 4, F * OW))
        return
    if is_long:
        by_group = memory.product(A.astype(M.dtype), M.reshape(6, -1)).reshape(4, F, groups, OW).transpose(2, 0, 1, 3)
    else:
        by_group = memory.product(A.astype(M.dtype), M.reshape(groups, 6, F * OW)).reshape(groups, 4, F, OW)
    whole = len(out) // 4
    out[: 4 * whole].reshape(whole, 4, F, OW)[:] = by_group[:whole]
    if not fits:
        out[4 * whole :] = by_group[whole, : len(out) - 4 * whole]


def _kernel_gradient(D: Array, x: Array, is_long: bool) -> Array:
    """Return the gradient of the evaluated kernels, (6, 3 F, C), of D as from `_evaluate` and x (rows, C, W)."""
    C, W = x.shape[1:]
    groups = math.ceil(len(x) / 4)
    turned = memory.empty((4, groups, W, C) if is_long else (groups, 4, W, C), x.dtype)
    by_group = turned.swapaxes(0, 1) if is_long else turned
    for row in range(4):
        here = x[row::4].transpose(0, 2, 1)
        by_group[: len(here), row] = here
        by_group[len(here) :, row] = 0
    if is_long:
        long_X = memory.product(A.T.astype(x.dtype), turned.reshape(4, -1)).reshape(6, groups * W, C)
        return memory.product(D, long_X)
    X = memory.product(A.T.astype(x.dtype), turned.reshape(groups, 4, W * C)).reshape(groups, 6, W, C)
    return _products(D, X).sum(axis=0)


def _with_rows(x: Array, rows: int) -> Array:
    """Return x with zeros below it, so many rows in all; x itself if it has them."""
    if len(x) == rows:
        return x
    taller = memory.empty((rows, *x.shape[1:]), x.dtype)
    taller[: len(x)] = x
    taller[len(x) :] = 0
    return taller
