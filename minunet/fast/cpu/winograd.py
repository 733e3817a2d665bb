"""Winograd's convolution F(4x4, 3x3): a 3x3 convolution with a quarter of the multiplications (Lavin and Gray 2016).

A tile of 6x6 pixels of x holds all that 4x4 pixels of y need. Seen as polynomials, a convolution is a product, and a
product is cheap where both factors are evaluated at points: evaluate, multiply point by point, interpolate. The points
are 0, 1, -1, 2, -2 and infinity along each axis, 36 in all:

    V[(i j), c, t] = sum_{h,w}    B[i, h] B[j, w] x_tile[(h w), c, t]             evaluate the tiles        36 x 36
    U[(i j), f, c] = sum_{kh,kw}  G[i, kh] G[j, kw] weight[f, c, kh, kw]          evaluate the kernels      36 x 9
    M[(i j), f, t] = sum_c        U[(i j), f, c] V[(i j), c, t]                   36 matrix products
    y_tile[(h w), f, t] = sum_{i,j}  A[h, i] A[w, j] M[(i j), f, t]               interpolate               16 x 36

A product of B along h and B along w is ONE matrix, their Kronecker product, so each line is a matrix product. For each
of 16 pixels of y the direct way takes 9 C multiplications, this one 36 C for all 16 together: a quarter. The tiles'
transforms come on top and are shared by all channels, so it pays from some 64 channels on.

The backward pass is nothing new: each line is linear, so its gradient is the transposed matrix, and the lines are
read from the bottom up:

    dM = A' dy_tile       dU = dM V'       dV = U' dM       dx_tile = B' dV       dweight = G' dU

and since neighbouring tiles of x share a rim of 2 pixels, their dx_tile are added there.

The image is worked through in bands of a few rows of tiles, so that what belongs to a band stays in cache. See
`winograd_tiles.py` for how tiles are cut from a band and put back to it, and `winograd_deep.py` for how cores share the
work where kernels are many and pixels few.

The price is accuracy: evaluating at 2 and -2 magnifies rounding. In float32 a layer is off by about 1e-5 of its largest
value, where the direct way is off by 1e-6. In float64 neither can be seen.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array, array_module
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
POINT_1_1 = 6 * 1 + 1  # of the 36: 1 along h and along w
BAND = 2**15  # a band is about so many tiles, times channels in and out


def forward(x: Array, weight: Array, bias: Array, y: Array, with_relu: bool = False) -> None:
    """Convolve x (N, C, H, W) with weight (F, C, 3, 3), add the bias, and write the result to y (N, F, H - 2, W - 2).

    The bias is added at the point 1 along both axes, which is interpolated to all 16 pixels of a tile as it is.
    """
    C = weight.shape[1]
    B2, G2, A2 = matrices(array_module(x), x.dtype)
    U = evaluate_kernels(G2, weight)  # (36, F, C)
    for n, top, rows, columns in _bands(y, C):
        V = evaluate(B2, x[n, :, top : top + 4 * rows + 2], rows, columns)  # (36, C, tiles)
        M = U @ V  # (F, C) @ (C, tiles) -> (F, tiles), 36 times
        M[POINT_1_1] += bias[:, None]
        interpolate(A2, M, y[n, :, top : top + 4 * rows], rows, columns, with_relu)


def backward(
    dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None, dweight: Array, rim: Array | None = None
) -> Array:
    """Write the gradients to dx (N, C, H, W), unless that is None, and dweight (F, C, 3, 3); return dbias (F,).

    `y` is what `forward` with_relu wrote, and the way back begins with that ReLU; or None. With a `rim` (N, C, 2, W),
    the first two rows of dx are written there.
    """
    xp = array_module(x)
    F, C = weight.shape[:2]
    B2, G2, A2 = matrices(xp, x.dtype)
    U = evaluate_kernels(G2, weight)  # (36, F, C)
    dU, dbias = None, xp.zeros(F, x.dtype)
    for n, top, rows, columns in _bands(dy, C):
        band, seen = slice(top, top + 4 * rows), slice(top, top + 4 * rows + 2)
        V = evaluate(B2, x[n, :, seen], rows, columns)  # (36, C, tiles)
        dM = interpolate_back(A2, dy[n, :, band], None if y is None else y[n, :, band], rows, columns)
        dbias += dM[POINT_1_1].sum(axis=1)
        product = dM @ V.transpose(0, 2, 1)  # (F, tiles) @ (tiles, C) -> (F, C), 36 times
        dU = product if dU is None else xp.add(dU, product, out=dU)  # (36, F, C)
        if dx is not None:
            dV = U.transpose(0, 2, 1) @ dM  # (C, F) @ (F, tiles) -> (C, tiles), 36 times
            top_rows = dx[n, :, top : top + 2] if top or rim is None else rim[n]
            evaluate_back(B2, dV, dx[n, :, seen], top_rows, rows, columns, is_first=not top)
    dweight[:] = evaluate_kernels_back(G2, dU)
    return dbias


def matrices(xp, dtype) -> tuple[Array, Array, Array]:
    """Return B, G and A along both axes at once: (36, 36), (36, 9) and (16, 36)."""
    return tuple(xp.asarray(np.kron(matrix, matrix).astype(dtype)) for matrix in (B, G, A))


def evaluate_kernels(G2: Array, weight: Array) -> Array:
    """Return U, (36, F, C)."""
    xp = array_module(weight)
    F, C = weight.shape[:2]
    U = xp.empty((36, F, C), weight.dtype)
    xp.matmul(G2, xp.ascontiguousarray(weight.reshape(F, C, 9).transpose(0, 2, 1)), out=U.transpose(1, 0, 2))
    return U


def evaluate_kernels_back(G2: Array, dU: Array) -> Array:
    """Return dweight, (F, C, 3, 3), of dU (36, F, C)."""
    F, C = dU.shape[1:]
    return (dU.reshape(36, F * C).T @ G2).reshape(F, C, 3, 3)


def _bands(y: Array, C: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield, band by band, the image's index, the first row of y, and how many rows and columns of tiles it has.

    On a CPU a band has at least F tiles, if there are as many, since each reads all kernels; on a GPU it is all rows.
    """
    N, F = y.shape[:2]
    all_rows, columns = count_tiles(y)
    least = max(F, BAND // (C + F)) if array_module(y) is np else all_rows * columns
    count = min(all_rows, max(1, all_rows * columns // least))
    band_rows = -(-all_rows // count)
    for n in range(N):
        for row in range(0, all_rows, band_rows):
            yield n, 4 * row, min(band_rows, all_rows - row), columns
