"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications (Lavin and Gray 2016).

A tile of 6x6 pixels of x holds all that 4x4 pixels of y need. Seen as polynomials, a convolution is a product, and a
product is cheap where both factors are evaluated at points: evaluate, multiply point by point, interpolate. The points
are 0, 1, -1, 2, -2 and infinity along each axis, 36 in all:

    V[(i j), t, c] = sum_{h,w}    B[i, h] B[j, w] x_tile[(h w), t, c]             evaluate the tiles        36 x 36
    U[(i j), f, c] = sum_{kh,kw}  G[i, kh] G[j, kw] weight[f, c, kh, kw]          evaluate the kernels      36 x 9
    M[(i j), t, f] = sum_c        V[(i j), t, c] U[(i j), f, c]                   36 matrix products
    y_tile[(h w), t, f] = sum_{i,j}  A[h, i] A[w, j] M[(i j), t, f]               interpolate               16 x 36

A product of B along h and B along w is ONE matrix, their Kronecker product, so each line is a matrix product. For each
of 16 pixels of y the direct way takes 9 C multiplications, this one 36 C for all 16 together: a quarter. The tiles'
transforms come on top and are shared by all channels, so it pays from some 100 channels on.

The backward pass is nothing new: each line is linear, so its gradient is the transposed matrix, and the lines are
read from the bottom up:

    dM = A' dy_tile       dU = dM' V       dV = dM U       dx_tile = B' dV       dweight = G' dU

and since neighbouring tiles of x share a rim of 2 pixels, their dx_tile are added there.

Channels lie last in all of this: a pixel's channels are then one run of memory, and tiles are cut out run by run. The
image is worked through in bands of a few rows of tiles, so that a band stays in cache.

The price is accuracy: evaluating at 2 and -2 magnifies rounding. In float32 a layer is off by about 1e-5 of its largest
value, where the direct way is off by 1e-6. In float64 neither can be seen.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array, array_module
from minunet.errors import InputError
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache

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
BAND_TILES = 128  # about so many tiles are worked on at once; more where there are more channels than that


def conv2d_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, Conv2dCache]:
    """Do what `minunet.layers.conv.conv2d_forward` does, for a 3x3 kernel; same arguments, results and errors."""
    check_conv2d(x, weight, bias)
    check_kernel(weight)
    xp = array_module(x)
    N, C, H, W = x.shape
    F = len(weight)
    B2, G2, A2 = _matrices(xp, x.dtype)
    U = _evaluate_kernels(G2, weight)  # (36, F, C)
    y = xp.empty((N, F, H - 2, W - 2), x.dtype)
    for n, top, tiles in _bands(x, F):  # tiles (6, 6, rows, columns, C)
        rows, columns = tiles.shape[2:4]
        V = (B2 @ tiles.reshape(36, -1)).reshape(36, rows * columns, C)
        M = V @ U.transpose(0, 2, 1)  # (tiles, C) @ (C, F) -> (tiles, F), 36 times
        y_tiles = A2 @ M.reshape(36, -1)  # (16, rows columns F)
        y_tiles = y_tiles.reshape(4, 4, rows, columns, F)
        y_band = y_tiles.transpose(4, 2, 0, 3, 1).reshape(F, 4 * rows, 4 * columns)
        height = min(4 * rows, H - 2 - top)
        y[n, :, top : top + height] = y_band[:, :height, : W - 2] + bias[:, None, None]
    return y, Conv2dCache(x, weight)


def conv2d_backward(dy: Array, cache: Conv2dCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.conv.conv2d_backward` does, for a 3x3 kernel; same arguments, results and errors."""
    x, weight = cache
    check_kernel(weight)
    xp = array_module(x)
    N, C, H, W = x.shape
    F = len(weight)
    check_gradient(dy, (N, F, H - 2, W - 2), x)
    B2, G2, A2 = _matrices(xp, x.dtype)
    U = _evaluate_kernels(G2, weight)  # (36, F, C)
    dU = xp.zeros_like(U)
    dx = xp.zeros((N, C, H, W), x.dtype)
    for n, top, tiles in _bands(x, F):
        rows, columns = tiles.shape[2:4]
        V = (B2 @ tiles.reshape(36, -1)).reshape(36, rows * columns, C)
        dy_tiles = _dy_tiles(dy[n, :, top : top + 4 * rows], rows, columns)  # (4, 4, rows, columns, F)
        dM = (A2.T @ dy_tiles.reshape(16, -1)).reshape(36, rows * columns, F)
        dU += dM.transpose(0, 2, 1) @ V  # (F, tiles) @ (tiles, C) -> (F, C), 36 times
        dV = dM @ U  # (tiles, F) @ (F, C) -> (tiles, C), 36 times
        dx_tiles = (B2.T @ dV.reshape(36, -1)).reshape(6, 6, rows, columns, C)
        dx_band = _overlap_and_add(dx_tiles)[: H - top, :W]  # (4 rows + 2, 4 columns + 2, C), less what lies beyond x
        dx[n, :, top : top + len(dx_band)] += dx_band.transpose(2, 0, 1)
    dweight = G2.T @ dU.reshape(36, F * C)  # (9, F C)
    dweight = xp.ascontiguousarray(dweight.T).reshape(F, C, 3, 3)
    return dx, dweight, dy.sum(axis=(0, 2, 3), dtype=x.dtype)


def _matrices(xp, dtype) -> tuple[Array, Array, Array]:
    """Return B, G and A along both axes at once: (36, 36), (36, 9) and (16, 36)."""
    return tuple(xp.asarray(np.kron(matrix, matrix).astype(dtype)) for matrix in (B, G, A))


def _evaluate_kernels(G2: Array, weight: Array) -> Array:
    """Return U, (36, F, C)."""
    F, C = weight.shape[:2]
    return (G2 @ weight.reshape(F * C, 9).T).reshape(36, F, C)


def _bands(x: Array, F: int) -> Iterator[tuple[int, int, Array]]:
    """Yield the image's index, the first row of a band of y, and its tiles of x, (6, 6, rows, columns, C).

    A band has at least F tiles, if there are as many, since each band reads all kernels, and may hold the whole image.

    tiles[i, j, row, column, c] = x[n, c, top + 4 row + i, 4 column + j], and 0 beyond the edge of x.
    """
    xp = array_module(x)
    N, C, H, W = x.shape
    all_rows, columns = -(-(H - 2) // 4), -(-(W - 2) // 4)
    band_rows = min(all_rows, max(1, max(BAND_TILES, F) // columns)) if xp is np else all_rows
    for n in range(N):
        for row in range(0, all_rows, band_rows):
            rows, top = min(band_rows, all_rows - row), 4 * row
            pixels = xp.zeros((4 * rows + 2, 4 * columns + 2, C), x.dtype)
            seen = x[n, :, top : top + 4 * rows + 2]  # fewer rows at the lower edge
            pixels[: seen.shape[1], :W] = seen.transpose(1, 2, 0)
            sh, sw, sc = pixels.strides
            shape, strides = (6, 6, rows, columns, C), (sh, sw, 4 * sh, 4 * sw, sc)
            yield n, top, xp.ascontiguousarray(xp.lib.stride_tricks.as_strided(pixels, shape, strides))


def _dy_tiles(dy: Array, rows: int, columns: int) -> Array:
    """Return dy (F, height, OW) in tiles, (4, 4, rows, columns, F), with 0 beyond its edge."""
    xp = array_module(dy)
    F, height, OW = dy.shape
    pixels = xp.zeros((4 * rows, 4 * columns, F), dy.dtype)
    pixels[:height, :OW] = dy.transpose(1, 2, 0)
    return xp.ascontiguousarray(pixels.reshape(rows, 4, columns, 4, F).transpose(1, 3, 0, 2, 4))


def _overlap_and_add(tiles: Array) -> Array:
    """Return the sum of tiles (6, 6, rows, columns, C) in their places, (4 rows + 2, 4 columns + 2, C)."""
    rows, columns, C = tiles.shape[2:]
    pixels = array_module(tiles).zeros((4 * rows + 2, 4 * columns + 2, C), tiles.dtype)
    for i in range(6):
        for j in range(6):
            pixels[i : i + 4 * rows - 3 : 4, j : j + 4 * columns - 3 : 4] += tiles[i, j]
    return pixels


def check_kernel(weight: Array) -> None:
    """Raise unless the kernel is 3x3."""
    if weight.shape[2:] != (3, 3):
        raise InputError(f"Winograd's F(4x4, 3x3) needs a 3x3 kernel, got weight {weight.shape}; use minunet.fast.conv")
