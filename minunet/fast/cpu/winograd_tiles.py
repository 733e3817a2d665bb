"""The transforms of Winograd's convolution: what `winograd.py` does to a band before and after its products.

Each step has its backward step, which is its transpose:

    evaluate          x   ->  windows of 6x6 pixels, 4 apart  ->  V = B x_tile
    evaluate_back     dV  ->  dx_tile = B' dV                 ->  dx, their sum where the windows overlap
    interpolate       M   ->  y_tile = A M                    ->  y, tiles of 4x4 pixels side by side
    interpolate_back  dy  ->  tiles of 4x4 pixels             ->  dM = A' dy_tile

Each step takes a chunk of channels at a time, so that the output of a matrix product is in cache when it is read next.
Sizes need not be multiples of 4: outside of the image x and dy count as zero, and y and dx are dropped.
"""

import math
from collections.abc import Iterator

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast import thresholds
from minunet.fast.cpu import memory


def evaluate(B2: Array, x: Array, rows: int, columns: int, out: Array | None = None) -> Array:
    """Return V (36, C, tiles) of the rows of x (C, height, W) that a band sees; it is written to `out`, if given."""
    xp = array_module(x)
    V = memory.empty((36, len(x), rows * columns), x.dtype, xp) if out is None else out
    for chunk, in_flat in _chunks(V):
        image = _with_edges(x[chunk], 4 * rows + 2, 4 * columns + 2)
        xp.matmul(B2, _windows(image, 6).reshape(36, -1), out=V.reshape(36, -1)[:, in_flat])
    return V


def evaluate_back(B2: Array, dV: Array, dx: Array, top_rows: Array, rows: int, columns: int, is_first: bool) -> None:
    """Write the gradient of the rows of x that a band sees to dx (C, height, W).

    The first two rows go to `top_rows` (C, 2, W). Unless this band is the first, the band above has written its share
    there, and this one is added.
    """
    height, W = dx.shape[1:]
    for chunk, in_flat in _chunks(dV):
        tiles = memory.product(B2.T, dV.reshape(36, -1)[:, in_flat]).reshape(6, 6, -1, rows, columns)
        tiles[:, :2, :, :, 1:] += tiles[:, 4:, :, :, :-1]  # the two columns shared with the window to the left
        tiles[:2, :, :, 1:] += tiles[4:, :, :, :-1]  # and the two rows shared with the window above
        image = memory.empty((tiles.shape[2], 4 * rows + 2, 4 * columns + 2), dV.dtype, array_module(dV))
        places = _windows(image, 6)
        _put(tiles[:4, :4], places[:4, :4])
        places[4:, :4, :, -1] = tiles[4:, :4, :, -1]  # the image's last two rows, last two columns, and their corner
        places[:4, 4:, ..., -1] = tiles[:4, 4:, ..., -1]
        places[4:, 4:, :, -1, -1] = tiles[4:, 4:, :, -1, -1]
        top_rows[chunk] = image[:, :2, :W] + (0 if is_first else top_rows[chunk])
        dx[chunk, 2:] = image[:, 2:height, :W]


def interpolate(A2: Array, M: Array, y: Array, rows: int, columns: int, with_relu: bool) -> None:
    """Write the tiles to y (F, height, OW), without the pixels outside of it; with the ReLU, if wanted."""
    xp = array_module(M)
    height, OW = y.shape[1:]
    least = 0 if with_relu else -xp.inf  # the smallest value that y may have
    for chunk, in_flat in _chunks(M):
        tiles = memory.product(A2, M.reshape(36, -1)[:, in_flat]).reshape(4, 4, -1, rows, columns)
        fits = (height, OW) == (4 * rows, 4 * columns)
        channels = chunk.stop - chunk.start
        image = y[chunk] if fits else memory.empty((channels, 4 * rows, 4 * columns), M.dtype, xp)
        xp.maximum(tiles, least, out=_windows(image, 4))
        if not fits:
            y[chunk] = image[:, :height, :OW]


def interpolate_back(A2: Array, dy: Array, y: Array | None, rows: int, columns: int, out: Array | None = None) -> Array:
    """Return dM (36, F, tiles) of dy (F, height, OW); it is written to `out`, if given.

    If there is a y, dy counts only where y is positive: the ReLU's backward pass.
    """
    xp = array_module(dy)
    F, height, OW = dy.shape
    dM = memory.empty((36, F, rows * columns), A2.dtype, xp) if out is None else out
    for chunk, in_flat in _chunks(dM):
        image = memory.empty((chunk.stop - chunk.start, 4 * rows, 4 * columns), dM.dtype, xp)
        gate = 1 if y is None else y[chunk] > 0
        xp.multiply(dy[chunk], gate, out=image[:, :height, :OW])
        _clear_beyond(image, height, OW)
        xp.matmul(A2.T, _windows(image, 4).reshape(16, -1), out=dM.reshape(36, -1)[:, in_flat])
    return dM


def count_tiles(y: Array) -> tuple[int, int]:
    """Return how many rows and columns of tiles y (N, F, OH, OW) has."""
    return math.ceil(y.shape[2] / 4), math.ceil(y.shape[3] / 4)


def _chunks(V: Array) -> Iterator[tuple[slice, slice]]:
    """Yield each chunk of channels of V (36, C, tiles), and its place in V.reshape(36, -1); on a GPU all at once."""
    C, tiles = V.shape[1:]
    step = max(1, thresholds.WINOGRAD_CHUNK // tiles) if array_module(V) is np else C
    for start in range(0, C, step):
        stop = min(C, start + step)
        yield slice(start, stop), slice(start * tiles, stop * tiles)


def _clear_beyond(image: Array, height: int, width: int) -> None:
    """Make an image (C, H, W) zero below `height` and to the right of `width`."""
    image[:, height:] = 0
    image[:, :height, width:] = 0


def _with_edges(x: Array, height: int, width: int) -> Array:
    """Return x (C, H, W) with zeros below and to the right, (C, height, width); x itself, if it has that size."""
    if x.shape[1:] == (height, width):
        return x
    C, H, W = x.shape
    image = memory.empty((C, height, width), x.dtype, array_module(x))
    image[:, :H, :W] = x
    _clear_beyond(image, H, W)
    return image


def _windows(image: Array, size: int) -> Array:
    """Return a view of an image (C, H, W): its windows of `size` by `size` pixels, 4 pixels apart.

    windows[h, w, c, row, column] = image[c, 4 row + h, 4 column + w]     (size, size, C, rows, columns)
    """
    C, H, W = image.shape
    c, h, w = image.strides
    shape = size, size, C, (H - size) // 4 + 1, (W - size) // 4 + 1
    as_strided = array_module(image).lib.stride_tricks.as_strided  # CuPy's sliding_window_view cannot be written to
    return as_strided(image, shape, (h, w, c, 4 * h, 4 * w))


def _put(tiles: Array, places: Array) -> None:
    """Do places[:] = tiles, one pixel of all tiles at a time: NumPy's inner loop is then long, and so fast."""
    for h, w in np.ndindex(tiles.shape[:2]):
        places[h, w] = tiles[h, w]
