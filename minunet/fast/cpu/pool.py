"""The same max-pool as `layers/pool.py`, by rows: band by band, so that the four comparisons find x in cache."""

import numpy as np

from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.same_as import same_as
from minunet.layers import pool as readable
from minunet.layers.checks import check_gradient, check_max_pool
from minunet.layers.pool import CORNERS, MaxPoolCache


@same_as(readable.max_pool_forward)
def max_pool_forward(x):
    check_max_pool(x)
    N, C, H, W = x.shape
    y, winner = (by_rows.empty(N, C, H // 2, W // 2, dtype) for dtype in (x.dtype, np.uint8))
    x_rows, y_rows, winner_rows = x.transpose(0, 2, 1, 3), rows_of(y), rows_of(winner)

    def work(band: Band) -> None:
        n, start, stop = band
        first, *others = (x_rows[n, 2 * start + i : 2 * stop : 2, :, j::2] for i, j in CORNERS)
        largest, winners = y_rows[n, start:stop], winner_rows[n, start:stop]
        largest[:], winners[:] = first, 0
        larger = memory.empty(winners.shape, np.uint8)  # 0 or k
        for k, corner in enumerate(others, start=1):
            np.greater(corner, largest, out=larger.view(bool))
            larger *= np.uint8(k)
            np.maximum(winners, larger, out=winners)  # k grows, so the last one that was larger stays
            np.maximum(largest, corner, out=largest)

    in_parallel(work, bands(N, H // 2, 2 * C * W))
    return y, MaxPoolCache(winner)


@same_as(readable.max_pool_backward)
def max_pool_backward(dy, cache):
    check_gradient(dy, cache.winner.shape, cache.winner)
    N, C, H, W = dy.shape
    dx = by_rows.empty(N, C, 2 * H, 2 * W, dy.dtype)
    dy_rows, winner_rows, dx_rows = dy.transpose(0, 2, 1, 3), cache.winner.transpose(0, 2, 1, 3), rows_of(dx)

    def work(band: Band) -> None:
        n, start, stop = band
        gradient, winners = dy_rows[n, start:stop], winner_rows[n, start:stop]
        has_won = memory.empty(winners.shape, bool)
        for k, (i, j) in enumerate(CORNERS):
            np.equal(winners, k, out=has_won)
            np.multiply(gradient, has_won, out=dx_rows[n, 2 * start + i : 2 * stop : 2, :, j::2])

    in_parallel(work, bands(N, H, 4 * C * W))
    return dx
