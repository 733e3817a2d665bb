"""How images lie in memory here: by rows, each row with all its channels. Logically an array stays (N, C, H, W).

    x[n, c, h, w]     lies at     ((n * H + h) * C + c) * W + w

Then the KH rows of an image that a row of y sees, with all their channels, lie one below the other: they are ONE
matrix, without a copy, and so are those of the next row of y, one row further down.

    window[h] = rows h .. h + KH - 1 of x, (KH C, W)

A convolution of a row is then a few products of small matrices (see `direct.py`), whose factors are views of x. Layers
that work on single pixels do not mind the order of the axes.

Every layer of `minunet/fast/cpu` returns its result so. An array that lies in memory in another order, such as the
image itself, is copied where it comes in.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import DTypeLike

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu import memory


def empty(N: int, C: int, H: int, W: int, dtype: DTypeLike, xp: Any = np) -> Array:
    """Return an array (N, C, H, W) that lies by rows, on a GPU as CuPy makes it; its numbers are not set."""
    return memory.empty((N, H, C, W), dtype).transpose(0, 2, 1, 3) if xp is np else xp.empty((N, C, H, W), dtype)


def rows_of(x: Array) -> Array:
    """Return x (N, C, H, W) as (N, H, C, W): a view if it lies by rows, else a copy."""
    rows = x.transpose(0, 2, 1, 3)
    if rows.flags.c_contiguous:
        return rows
    copied = memory.empty(rows.shape, x.dtype)
    copied[:] = rows
    return copied


def along_row(vector: Array, W: int) -> Array:
    """Return a number for each channel, (C,), as one for each number of a row, (C W,)."""
    return np.repeat(vector, W)


def windows(x: Array, KH: int, KW: int) -> Array:
    """Return what each row of y sees, for each column of the kernel: a view (KW, OH, KH C, OW) of an image (H, C, W).

    windows[kw, h, (kh c), w] = x[h + kh, c, w + kw]
    """
    H, C, W = x.shape
    of_row, of_channel, of_pixel = C * W * x.itemsize, W * x.itemsize, x.itemsize
    shape = (KW, H - KH + 1, KH * C, W - KW + 1)
    return as_strided(x, shape, (of_pixel, of_row, of_channel, of_pixel), writeable=False)


class Band(NamedTuple):
    """Some rows of one image of a batch."""

    image: int
    start: int
    stop: int


def bands(N: int, rows: int, numbers: int) -> list[Band]:
    """Cut the rows of N images into bands, where a row takes so many numbers.

    A band is small enough to stay in cache, and there is one for each core if that pays. The bands depend on the sizes
    alone, and not on the number of cores: so a sum over the bands is the same, bit for bit, on any number of them.
    Their number is a power of two, so that cores get equal shares.
    """
    total = rows * numbers
    wanted = max(1.0, total / thresholds.BAND, min(thresholds.SMALL_BANDS, total / thresholds.SMALL_BAND))
    count = min(rows, 2 ** math.ceil(math.log2(wanted)))
    edges = [rows * k // count for k in range(count + 1)]
    return [Band(n, start, stop) for n in range(N) for start, stop in itertools.pairwise(edges)]
