"""The same max-pool as `layers/pool.py`, a few channels at a time, on all cores: no channel knows of the others."""

import numpy as np

from minunet.backend import Array
from minunet.fast.parallel import in_parallel, slices
from minunet.layers import pool
from minunet.layers.checks import check_gradient, check_max_pool
from minunet.layers.pool import MaxPoolCache

PIXELS = 2**18  # about so many at a time, so that what a layer makes of them stays in cache
WORTH = 2**20  # pixels in all: with fewer, threads wait for each other longer than they work


def max_pool_forward(x: Array) -> tuple[Array, MaxPoolCache]:
    """Do what `minunet.layers.pool.max_pool_forward` does; same arguments, results and errors."""
    check_max_pool(x)
    N, C, H, W = x.shape
    y = np.empty((N, C, H // 2, W // 2), x.dtype)
    winner = np.empty(y.shape, np.uint8)

    def work(part: slice) -> None:
        y[:, part], (winner[:, part],) = pool.max_pool_forward(x[:, part])

    in_parallel(work, _channels(x))
    return y, MaxPoolCache(winner)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """Do what `minunet.layers.pool.max_pool_backward` does; same arguments, results and errors."""
    check_gradient(dy, cache.winner.shape, cache.winner)
    N, C, OH, OW = dy.shape
    dx = np.empty((N, C, 2 * OH, 2 * OW), dy.dtype)

    def work(part: slice) -> None:
        dx[:, part] = pool.max_pool_backward(dy[:, part], MaxPoolCache(cache.winner[:, part]))

    in_parallel(work, _channels(dx))
    return dx


def _channels(x: Array) -> list[slice]:
    C, H, W = x.shape[1:]
    return slices(C, at_most=max(1, PIXELS // (H * W))) if x.size >= WORTH else [slice(0, C)]
