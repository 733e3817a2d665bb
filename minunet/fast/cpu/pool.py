"""The same max-pool as `layers/pool.py`, a few channels at a time, on all cores: no channel knows of the others.

Where the readable way chooses by `where`, which goes element by element, this one reckons: a corner that beats those
before it has the largest number so far, so the winner is a maximum too.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu.parallel import in_parallel, slices
from minunet.layers.checks import check_gradient, check_max_pool
from minunet.layers.pool import CORNERS, MaxPoolCache

PIXELS = 2**18  # about so many at a time, so that what a layer makes of them stays in cache
WORTH = 2**20  # pixels in all: with fewer, threads wait for each other longer than they work


def max_pool_forward(x: Array) -> tuple[Array, MaxPoolCache]:
    """Do what `minunet.layers.pool.max_pool_forward` does; same arguments, results and errors."""
    check_max_pool(x)
    N, C, H, W = x.shape
    y = np.empty((N, C, H // 2, W // 2), x.dtype)
    winner = np.empty(y.shape, np.uint8)

    def work(part: slice) -> None:
        largest, who = y[:, part], winner[:, part]
        first, *others = (x[:, part, i::2, j::2] for i, j in CORNERS)
        largest[:], who[:] = first, 0
        for k, corner in enumerate(others, start=1):
            np.maximum(who, np.uint8(k) * (corner > largest), out=who)
            np.maximum(largest, corner, out=largest)

    in_parallel(work, _channels(x))
    return y, MaxPoolCache(winner)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """Do what `minunet.layers.pool.max_pool_backward` does; same arguments, results and errors."""
    check_gradient(dy, cache.winner.shape, cache.winner)
    N, C, OH, OW = dy.shape
    dx = np.empty((N, C, 2 * OH, 2 * OW), dy.dtype)

    def work(part: slice) -> None:
        for k, (i, j) in enumerate(CORNERS):
            np.multiply(dy[:, part], cache.winner[:, part] == k, out=dx[:, part, i::2, j::2])

    in_parallel(work, _channels(dx))
    return dx


def _channels(x: Array) -> list[slice]:
    C, H, W = x.shape[1:]
    return slices(C, at_most=max(1, PIXELS // (H * W))) if x.size >= WORTH else [slice(0, C)]
