"""The same max-pool as `layers/pool.py`, by rows: first the larger of two columns, then the larger of two rows.

    wider[h, c, w]  = max(x[h, c, 2w], x[h, c, 2w+1])
    y[h, c, w]      = max(wider[2h, c, w], wider[2h+1, c, w])

Backward the gradient goes the same two steps: to the row that has won, and there to the column that has won. Of equal
numbers the upper one wins, then the left one, as in the readable layer. Who has won is seen from x, which the
convolution before the pool keeps anyway.
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.same_as import same_as
from minunet.layers import pool as readable
from minunet.layers.checks import check_gradient, check_max_pool


class MaxPoolCache(NamedTuple):
    x: Array  # (N, C, H, W)


@same_as(readable.max_pool_forward)
def max_pool_forward(x):
    check_max_pool(x)
    N, C, H, W = x.shape
    x_rows, y = x.transpose(0, 2, 1, 3), by_rows.empty(N, C, H // 2, W // 2, x.dtype)
    y_rows = rows_of(y)

    def work(band: Band) -> None:
        n, start, stop = band
        wider = _wider(x_rows[n, 2 * start : 2 * stop])
        np.maximum(wider[::2], wider[1::2], out=y_rows[n, start:stop])

    in_parallel(work, bands(N, H // 2, 2 * C * W))
    return y, MaxPoolCache(x)


@same_as(readable.max_pool_backward)
def max_pool_backward(dy, cache):
    N, C, H, W = cache.x.shape
    check_gradient(dy, (N, C, H // 2, W // 2), cache.x)
    dx = by_rows.empty(N, C, H, W, dy.dtype)
    x_rows, dy_rows, dx_rows = cache.x.transpose(0, 2, 1, 3), dy.transpose(0, 2, 1, 3), rows_of(dx)

    def work(band: Band) -> None:
        n, start, stop = band
        x, dx = (rows[n, 2 * start : 2 * stop] for rows in (x_rows, dx_rows))
        wider = _wider(x)
        dwider = memory.empty(wider.shape, dy.dtype)
        _divide(dy_rows[n, start:stop], wider[::2], wider[1::2], dwider[::2], dwider[1::2])
        _divide(dwider, x[..., ::2], x[..., 1::2], dx[..., ::2], dx[..., 1::2])

    in_parallel(work, bands(N, H // 2, 2 * C * W))
    return dx


def _wider(x: Array) -> Array:
    """Return the larger of two columns of x (rows, C, W), (rows, C, W / 2)."""
    rows, C, W = x.shape
    wider = memory.empty((rows, C, W // 2), x.dtype)
    return np.maximum(x[..., ::2], x[..., 1::2], out=wider)


def _divide(gradient: Array, first: Array, second: Array, dfirst: Array, dsecond: Array) -> None:
    """Write the gradient to dsecond where the second is larger than the first, else to dfirst; zero beside."""
    second_wins = memory.empty(first.shape, bool)
    np.greater(second, first, out=second_wins)
    share = memory.empty(first.shape, gradient.dtype)
    np.multiply(gradient, second_wins, out=share)
    dsecond[...] = share
    np.subtract(gradient, share, out=dfirst)
