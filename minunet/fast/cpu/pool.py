"""The same max-pool as `layers/pool.py`, in parts: some channels at a time, on all cores.

The readable way finds the winner by `where`, which goes element by element. Here it is found by arithmetic: a corner
that beats those before it has the largest number so far, so the winner is a maximum, too.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu.parallel import in_parallel, parts_of
from minunet.fast.same_as import same_as
from minunet.layers import pool as readable
from minunet.layers.checks import check_gradient, check_max_pool
from minunet.layers.pool import CORNERS, MaxPoolCache


@same_as(readable.max_pool_forward)
def max_pool_forward(x):
    check_max_pool(x)
    N, C, H, W = x.shape
    y = np.empty((N, C, H // 2, W // 2), x.dtype)
    winner = np.empty(y.shape, np.uint8)

    def work(channels: slice) -> None:
        y_part, winner_part = y[:, channels], winner[:, channels]
        first, *others = (x[:, channels, i::2, j::2] for i, j in CORNERS)
        y_part[:], winner_part[:] = first, 0
        for k, corner in enumerate(others, start=1):
            np.maximum(winner_part, np.uint8(k) * (corner > y_part), out=winner_part)
            np.maximum(y_part, corner, out=y_part)

    in_parallel(work, _parts(x))
    return y, MaxPoolCache(winner)


@same_as(readable.max_pool_backward)
def max_pool_backward(dy, cache):
    check_gradient(dy, cache.winner.shape, cache.winner)
    N, C, OH, OW = dy.shape
    dx = np.empty((N, C, 2 * OH, 2 * OW), dy.dtype)

    def work(channels: slice) -> None:
        for k, (i, j) in enumerate(CORNERS):
            np.multiply(dy[:, channels], cache.winner[:, channels] == k, out=dx[:, channels, i::2, j::2])

    in_parallel(work, _parts(dx))
    return dx


def _parts(x: Array) -> list[slice]:
    """Return parts of the channels of x (N, C, H, W), each small enough to stay in cache; one if more do not pay."""
    C, H, W = x.shape[1:]
    if x.size < thresholds.PARALLEL_ELEMENTS:
        return [slice(0, C)]
    return parts_of(C, at_most=max(1, thresholds.POOL_PART // (H * W)))
