"""Winograd's convolution, tile by tile: what `winograd.py` does to a band of the image before and after its products.

Each step has its way back, which is its transpose:

    evaluate          x   ->  windows of 6x6 pixels, 4 apart  ->  V = B x_tile
    evaluate_back     dV  ->  dx_tile = B' dV                 ->  dx, where they overlap their sum
    interpolate       M   ->  y_tile = A M                    ->  y, blocks of 4x4 pixels side by side
    interpolate_back  dy  ->  blocks of 4x4 pixels            ->  dM = A' dy_tile

They go through the channels in chunks, so that what one matrix product writes is in cache when the next step reads it.
Sizes need not be multiples of 4: beyond the edge the image is zero, and what falls there is dropped.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array, array_module

CHUNK = 2**15  # about so many numbers, tiles times channels, for each of the 36 points


def evaluate(B2: Array, x: Array, rows: int, columns: int, out: Array | None = None) -> Array:
    """Return V, (36, C, tiles), of the band of x (C, height, W) that the tiles see; written to `out` if it is given."""
    xp = array_module(x)
    V = xp.empty((36, len(x), rows * columns), x.dtype) if out is None else out
    for part, in_flat in _channels(V):
        image = _with_edges(x[part], 4 * rows + 2, 4 * columns + 2)
        xp.matmul(B2, _windows(image, 6).reshape(36, -1), out=V.reshape(36, -1)[:, in_flat])
    return V


def evaluate_back(B2: Array, dV: Array, dx: Array, top_rows: Array, rows: int, columns: int, is_first: bool) -> None:
    """Write the gradient of what the tiles see to dx (C, height, W); where tiles share a rim, their sum.

    The first two rows go to `top_rows` (C, 2, W); unless it is the first, the band above has written its share there.
    """
    height, W = dx.shape[1:]
    for part, in_flat in _channels(dV):
        tiles = (B2.T @ dV.reshape(36, -1)[:, in_flat]).reshape(6, 6, -1, rows, columns)
        tiles[:, :2, :, :, 1:] += tiles[:, 4:, :, :, :-1]  # the rim shared with the tile to the left
        tiles[:2, :, :, 1:] += tiles[4:, :, :, :-1]  # and with the one above
        image = array_module(dV).empty((tiles.shape[2], 4 * rows + 2, 4 * columns + 2), dV.dtype)
        places = _windows(image, 6)
        _put(tiles[:4, :4], places[:4, :4])
        places[4:, :4, :, -1] = tiles[4:, :4, :, -1]  # the last tiles' rims: below, to the right, and the corner
        places[:4, 4:, ..., -1] = tiles[:4, 4:, ..., -1]
        places[4:, 4:, :, -1, -1] = tiles[4:, 4:, :, -1, -1]
        top_rows[part] = image[:, :2, :W] + (0 if is_first else top_rows[part])
        dx[part, 2:] = image[:, 2:height, :W]


def interpolate(A2: Array, M: Array, y: Array, rows: int, columns: int, with_relu: bool) -> None:
    """Write the pixels of the tiles to y (F, height, OW), less what lies beyond its edge."""
    xp = array_module(M)
    height, OW = y.shape[1:]
    least = 0 if with_relu else -xp.inf
    for part, in_flat in _channels(M):
        tiles = (A2 @ M.reshape(36, -1)[:, in_flat]).reshape(4, 4, -1, rows, columns)
        fits = (height, OW) == (4 * rows, 4 * columns)
        image = y[part] if fits else xp.empty((part.stop - part.start, 4 * rows, 4 * columns), M.dtype)
        xp.maximum(tiles, least, out=_windows(image, 4))
        if not fits:
            y[part] = image[:, :height, :OW]


def interpolate_back(A2: Array, dy: Array, y: Array | None, rows: int, columns: int, out: Array | None = None) -> Array:
    """Return dM, (36, F, tiles), of dy (F, height, OW) where y, if any, is positive; written to `out` if given."""
    xp = array_module(dy)
    F, height, OW = dy.shape
    dM = xp.empty((36, F, rows * columns), A2.dtype) if out is None else out
    for part, in_flat in _channels(dM):
        image = xp.empty((part.stop - part.start, 4 * rows, 4 * columns), dM.dtype)
        xp.multiply(dy[part], 1 if y is None else y[part] > 0, out=image[:, :height, :OW])
        _clear_beyond(image, height, OW)
        xp.matmul(A2.T, _windows(image, 4).reshape(16, -1), out=dM.reshape(36, -1)[:, in_flat])
    return dM


def count_tiles(y: Array) -> tuple[int, int]:
    """Return how many rows and columns of tiles y (N, F, OH, OW) has."""
    return -(-y.shape[2] // 4), -(-y.shape[3] // 4)


def _channels(V: Array) -> Iterator[tuple[slice, slice]]:
    """Yield some channels of V (36, C, tiles) after others, and their place in V.reshape(36, -1)."""
    C, tiles = V.shape[1:]
    step = max(1, CHUNK // tiles) if array_module(V) is np else C
    for start in range(0, C, step):
        stop = min(C, start + step)
        yield slice(start, stop), slice(start * tiles, stop * tiles)


def _clear_beyond(image: Array, height: int, width: int) -> None:
    """Make an image (C, H, W) zero below `height` and to the right of `width`."""
    image[:, height:] = 0
    image[:, :height, width:] = 0


def _with_edges(x: Array, height: int, width: int) -> Array:
    """Return x (C, H, W) with zeros below and to the right, (C, height, width); if it has that size, x itself."""
    if x.shape[1:] == (height, width):
        return x
    C, H, W = x.shape
    image = array_module(x).empty((C, height, width), x.dtype)
    image[:, :H, :W] = x
    _clear_beyond(image, H, W)
    return image


def _windows(image: Array, size: int) -> Array:
    """Return a view of an image (C, H, W): its windows of `size` by `size` pixels, 4 pixels apart.

    windows[h, w, c, row, column] = image[c, 4 row + h, 4 column + w]     (size, size, C, rows, columns)
    """
    slide = array_module(image).lib.stride_tricks.sliding_window_view
    return slide(image, (size, size), axis=(1, 2), writeable=True)[:, ::4, ::4].transpose(3, 4, 0, 1, 2)


def _put(tiles: Array, places: Array) -> None:
    """Do places[:] = tiles, pixel by pixel: NumPy then goes along the tiles, and else by the few pixels of a tile."""
    for h, w in np.ndindex(tiles.shape[:2]):
        places[h, w] = tiles[h, w]
