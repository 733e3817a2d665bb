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

The image is worked through in bands of a few rows of tiles, so that what belongs to a band stays in cache.

The price is accuracy: evaluating at 2 and -2 magnifies rounding. In float32 a layer is off by about 1e-5 of its largest
value, where the direct way is off by 1e-6. In float64 neither can be seen.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array, array_module

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
BAND = 2**15  # about so many numbers, tiles times channels, are worked on at once for each of the 36 points


def forward(x: Array, weight: Array, bias: Array, y: Array, with_relu: bool = False) -> None:
    """Convolve x (N, C, H, W) with weight (F, C, 3, 3), add the bias, and write the result to y (N, F, H - 2, W - 2).

    The bias is added at the point 1 along both axes, which is interpolated to all 16 pixels of a tile as it is.
    """
    F, C = weight.shape[:2]
    B2, G2, A2 = _matrices(array_module(x), x.dtype)
    U = _evaluate_kernels(G2, weight)  # (36, F, C)
    for n, top, rows, columns in _bands(y, C):
        V = _evaluate_tiles(B2, x[n, :, top : top + 4 * rows + 2], rows, columns)  # (36, C, tiles)
        M = U @ V  # (F, C) @ (C, tiles) -> (F, tiles), 36 times
        M[POINT_1_1] += bias[:, None]
        _interpolate(A2, M, y[n, :, top : top + 4 * rows], rows, columns, with_relu)


def backward(dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None, dweight: Array) -> Array:
    """Write the gradients to dx (N, C, H, W), unless that is None, and dweight (F, C, 3, 3); return dbias (F,).

    `y` is what `forward` with_relu wrote, and the way back begins with that ReLU; or None.
    """
    xp = array_module(x)
    F, C = weight.shape[:2]
    B2, G2, A2 = _matrices(xp, x.dtype)
    U = _evaluate_kernels(G2, weight)  # (36, F, C)
    dU, dbias = None, xp.zeros(F, x.dtype)
    for n, top, rows, columns in _bands(dy, C):
        band, seen = slice(top, top + 4 * rows), slice(top, top + 4 * rows + 2)
        V = _evaluate_tiles(B2, x[n, :, seen], rows, columns)  # (36, C, tiles)
        dM = _interpolate_back(A2, dy[n, :, band], None if y is None else y[n, :, band], rows, columns)
        dbias += dM[POINT_1_1].sum(axis=1)
        product = dM @ V.transpose(0, 2, 1)  # (F, tiles) @ (tiles, C) -> (F, C), 36 times
        dU = product if dU is None else xp.add(dU, product, out=dU)  # (36, F, C)
        if dx is not None:
            dV = U.transpose(0, 2, 1) @ dM  # (C, F) @ (F, tiles) -> (C, tiles), 36 times
            _evaluate_back(B2, dV, dx[n, :, seen], rows, columns, is_first=not top)
    dweight[:] = (G2.T @ dU.reshape(36, F * C)).T.reshape(F, C, 3, 3)
    return dbias


def _matrices(xp, dtype) -> tuple[Array, Array, Array]:
    """Return B, G and A along both axes at once: (36, 36), (36, 9) and (16, 36)."""
    return tuple(xp.asarray(np.kron(matrix, matrix).astype(dtype)) for matrix in (B, G, A))


def _evaluate_kernels(G2: Array, weight: Array) -> Array:
    """Return U, (36, F, C)."""
    F, C = weight.shape[:2]
    return (G2 @ weight.reshape(F * C, 9).T).reshape(36, F, C)


def _bands(y: Array, C: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield, band by band, the image's index, the first row of y, and how many rows and columns of tiles it has.

    On a CPU a band has at least F tiles, if there are as many, since each reads all kernels; on a GPU it is all rows.
    """
    N, F, OH, OW = y.shape
    all_rows, columns = -(-OH // 4), -(-OW // 4)
    least = max(F, BAND // (C + F)) if array_module(y) is np else all_rows * columns
    count = min(all_rows, max(1, all_rows * columns // least))
    band_rows = -(-all_rows // count)
    for n in range(N):
        for row in range(0, all_rows, band_rows):
            yield n, 4 * row, min(band_rows, all_rows - row), columns


def _evaluate_tiles(B2: Array, x: Array, rows: int, columns: int) -> Array:
    """Return V, (36, C, tiles), of the band of x (C, height, W) that the tiles see."""
    xp = array_module(x)
    C, height, W = x.shape
    V = xp.empty((36, C, rows * columns), x.dtype)
    for part, in_flat in _channels(V):
        image = xp.empty((part.stop - part.start, 4 * rows + 4, 4 * columns + 4), x.dtype)
        image[:, :height, :W] = x[part]
        _clear_beyond(image, height, W)
        tiles = xp.empty((6, 6, len(image), rows, columns), x.dtype)
        for some, place in _quarters(tiles, _pixels(image)):
            some[:] = place
        xp.matmul(B2, tiles.reshape(36, -1), out=V.reshape(36, -1)[:, in_flat])
    return V


def _evaluate_back(B2: Array, dV: Array, dx: Array, rows: int, columns: int, is_first: bool) -> None:
    """Write the gradient of what the tiles see to dx (C, height, W); where tiles share a rim, their sum."""
    height, W = dx.shape[1:]
    for part, in_flat in _channels(dV):
        tiles = (B2.T @ dV.reshape(36, -1)[:, in_flat]).reshape(6, 6, -1, rows, columns)
        image = array_module(dV).empty((tiles.shape[2], 4 * rows + 4, 4 * columns + 4), dV.dtype)
        (some, place), *others = _quarters(tiles, _pixels(image))
        place[:] = some
        _clear_beyond(image, 4 * rows, 4 * columns)
        for some, place in others:
            place += some
        if not is_first:
            image[:, :2, :W] += dx[part, :2]  # the rim that it shares with the band above
        dx[part] = image[:, :height, :W]


def _interpolate(A2: Array, M: Array, y: Array, rows: int, columns: int, with_relu: bool) -> None:
    """Write the pixels of the tiles to y (F, height, OW), less what lies beyond its edge."""
    xp = array_module(M)
    height, OW = y.shape[1:]
    for part, in_flat in _channels(M):
        image = xp.empty((part.stop - part.start, 4 * rows, 4 * columns), M.dtype)
        _pixels(image)[:] = (A2 @ M.reshape(36, -1)[:, in_flat]).reshape(4, 4, -1, rows, columns)
        if with_relu:
            xp.maximum(image[:, :height, :OW], 0, out=y[part])
        else:
            y[part] = image[:, :height, :OW]


def _interpolate_back(A2: Array, dy: Array, y: Array | None, rows: int, columns: int) -> Array:
    """Return dM, (36, F, tiles), of dy (F, height, OW), where y, if it is given, is positive."""
    xp = array_module(dy)
    F, height, OW = dy.shape
    dM = xp.empty((36, F, rows * columns), A2.dtype)
    for part, in_flat in _channels(dM):
        image = xp.empty((part.stop - part.start, 4 * rows, 4 * columns), dM.dtype)
        xp.multiply(dy[part], 1 if y is None else y[part] > 0, out=image[:, :height, :OW])
        _clear_beyond(image, height, OW)
        xp.matmul(A2.T, _pixels(image).reshape(16, -1), out=dM.reshape(36, -1)[:, in_flat])
    return dM


def _channels(V: Array) -> Iterator[tuple[slice, slice]]:
    """Yield some channels of V (36, C, tiles) after others, and their place in V.reshape(36, -1)."""
    C, tiles = V.shape[1:]
    step = max(1, BAND // tiles) if array_module(V) is np else C
    for start in range(0, C, step):
        stop = min(C, start + step)
        yield slice(start, stop), slice(start * tiles, stop * tiles)


def _clear_beyond(image: Array, height: int, width: int) -> None:
    """Make an image (C, H, W) zero below `height` and to the right of `width`."""
    image[:, height:] = 0
    image[:, :height, width:] = 0


def _pixels(image: Array) -> Array:
    """Return a view of an image (C, 4 rows, 4 columns): of its blocks of 4x4 pixels the first, the second ...

    pixels[i, j, c, row, column] = image[c, 4 row + i, 4 column + j]     (4, 4, C, rows, columns)
    """
    C, height, width = image.shape
    return image.reshape(C, height // 4, 4, width // 4, 4).transpose(2, 4, 0, 1, 3)


def _quarters(tiles: Array, pixels: Array) -> Iterator[tuple[Array, Array]]:
    """Yield tiles of 6x6 pixels, (6, 6, C, rows, columns), in four parts, each with its place in the image's pixels.

    The first 4x4 are a block of the image, the others belong to the next block to the right, below, and both.
    """
    yield tiles[:4, :4], pixels[:, :, :, :-1, :-1]
    yield tiles[4:, :4], pixels[:2, :, :, 1:, :-1]
    yield tiles[:4, 4:], pixels[:, :2, :, :-1, 1:]
    yield tiles[4:, 4:], pixels[:2, :2, :, 1:, 1:]
