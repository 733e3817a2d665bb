"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications (Lavin and Gray 2016).

A tile of 4x4 pixels of y depends on 6x6 pixels of x, its window. A convolution is a product of polynomials, and there
is a cheap way to multiply polynomials: evaluate both at some points, multiply point by point, and interpolate. The
points are 0, 1, -1, 2, -2 and infinity along each axis, 36 in all:

    V[(i j), c, t] = sum_{h,w}    B[i, h] B[j, w] x_tile[(h w), c, t]             evaluate the windows      36 x 36
    U[(i j), f, c] = sum_{kh,kw}  G[i, kh] G[j, kw] weight[f, c, kh, kw]          evaluate the kernels      36 x 9
    M[(i j), f, t] = sum_c        U[(i j), f, c] V[(i j), c, t]                   36 matrix products
    y_tile[(h w), f, t] = sum_{i,j}  A[h, i] A[w, j] M[(i j), f, t]               interpolate               16 x 36

B along h and B along w together are ONE matrix, their Kronecker product, so each line is a matrix product. The direct
way takes 9 C multiplications for each of 16 pixels of y; this one takes 36 C for all 16 together, a quarter. The
transforms of the tiles come on top, but each serves all channels, so Winograd's way pays from some 64 channels on.

The backward pass needs no new idea. Each line is linear, so its gradient is the transposed matrix, and the lines are
read from the bottom up:

    dM = A' dy_tile       dU = dM V'       dV = U' dM       dx_tile = B' dV       dweight = G' dU

Neighbouring windows overlap by 2 pixels, and there their dx_tile are added.

The work goes band by band, a few rows of tiles at a time, so that the numbers of a band stay in cache. See
`winograd_tiles.py` for how windows are cut from a band and put back into it, and `winograd_deep.py` for how cores share
the work where there are few pixels and many channels.

The price is accuracy: evaluating at 2 and -2 magnifies rounding errors. In float32 a layer is off by about 1e-5 of its
largest value, the direct way by 1e-6. In float64 both errors are too small to matter.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, array_module
from minunet.fast import thresholds
from minunet.fast.cpu import memory
from minunet.fast.cpu.winograd_tiles import count_tiles, evaluate, evaluate_back, interpolate, interpolate_back

B = np.array(  # (6, 6)
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24  # (6, 3)
A = np.array(  # (4, 6)
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)
POINT_1_1 = 6 * 1 + 1  # of the 36 points: 1 along h and along w


def forward(x: Array, weight: Array, bias: Array, y: Array, with_relu: bool = False) -> None:
    """Convolve x (N, C, H, W) with weight (F, C, 3, 3), add the bias, and write the result to y (N, F, H - 2, W - 2).

    The bias is added at the point 1 along both axes, which adds it to all 16 pixels of a tile.
    """
    C = weight.shape[1]
    B2, G2, A2 = matrices(array_module(x), x.dtype)
    U = evaluate_kernels(G2, weight)  # (36, F, C)
    for n, top, rows, columns in _bands(y, C):
        V = evaluate(B2, x[n, :, top : top + 4 * rows + 2], rows, columns)  # (36, C, tiles)
        M = memory.product(U, V)  # (F, C) @ (C, tiles) -> (F, tiles), 36 times
        M[POINT_1_1] += bias[:, None]
        interpolate(A2, M, y[n, :, top : top + 4 * rows], rows, columns, with_relu)


def backward(
    dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None, dweight: Array, rim: Array | None = None
) -> Array:
    """Write the gradients to dx (N, C, H, W), unless that is None, and dweight (F, C, 3, 3); return dbias (F,).

    `y` is None, or the output of `forward` with the ReLU; then the backward pass begins with the ReLU. With a `rim`
    (N, C, 2, W), the first two rows of dx are written there.
    """
    xp = array_module(x)
    F, C = weight.shape[:2]
    B2, G2, A2 = matrices(xp, x.dtype)
    U = evaluate_kernels(G2, weight)  # (36, F, C)
    dU: Any = None  # (36, F, C), summed over all bands
    dbias = xp.zeros(F, x.dtype)
    for n, top, rows, columns in _bands(dy, C):
        band, seen = slice(top, top + 4 * rows), slice(top, top + 4 * rows + 2)
        V = evaluate(B2, x[n, :, seen], rows, columns)  # (36, C, tiles)
        dM = interpolate_back(A2, dy[n, :, band], None if y is None else y[n, :, band], rows, columns)
        dbias += dM[POINT_1_1].sum(axis=1)
        product = memory.product(dM, V.transpose(0, 2, 1))  # (F, tiles) @ (tiles, C) -> (F, C), 36 times
        dU = product if dU is None else xp.add(dU, product, out=dU)
        if dx is not None:
            dV = memory.product(U.transpose(0, 2, 1), dM)  # (C, F) @ (F, tiles) -> (C, tiles), 36 times
            is_first = top == 0
            top_rows = rim[n] if is_first and rim is not None else dx[n, :, top : top + 2]
            evaluate_back(B2, dV, dx[n, :, seen], top_rows, rows, columns, is_first)
    dweight[:] = evaluate_kernels_back(G2, dU)
    return dbias


def matrices(xp: Any, dtype: DTypeLike) -> tuple[Array, Array, Array]:
    """Return B, G and A along both axes at once: (36, 36), (36, 9) and (16, 36)."""
    B2, G2, A2 = (xp.asarray(np.kron(matrix, matrix).astype(dtype)) for matrix in (B, G, A))
    return B2, G2, A2


def evaluate_kernels(G2: Array, weight: Array) -> Array:
    """Return U, (36, F, C)."""
    xp = array_module(weight)
    F, C = weight.shape[:2]
    U = memory.empty((36, F, C), weight.dtype, xp)
    xp.matmul(G2, xp.ascontiguousarray(weight.reshape(F, C, 9).transpose(0, 2, 1)), out=U.transpose(1, 0, 2))
    return U


def evaluate_kernels_back(G2: Array, dU: Array) -> Array:
    """Return dweight, (F, C, 3, 3), of dU (36, F, C)."""
    F, C = dU.shape[1:]
    return (dU.reshape(36, F * C).T @ G2).reshape(F, C, 3, 3)


def _bands(y: Array, C: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield n, top, rows and columns of each band: image n, and so many rows of tiles from row `top` of y on.

    On a CPU a band has at least F tiles, if there are so many, since each band reads all kernels. On a GPU the whole
    image is one band.
    """
    N, F = y.shape[:2]
    all_rows, columns = count_tiles(y)
    tiles = all_rows * columns
    least = max(F, thresholds.WINOGRAD_BAND // (C + F)) if array_module(y) is np else tiles
    count = min(all_rows, max(1, tiles // least))
    band_rows = math.ceil(all_rows / count)
    for n in range(N):
        for row in range(0, all_rows, band_rows):
            yield n, 4 * row, min(band_rows, all_rows - row), columns
