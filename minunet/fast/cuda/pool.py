"""Max-pool by the kernels of `pool.cu`; the readable layer is `minunet/layers/pool.py`."""

import numpy as np

from minunet.backend import array_module
from minunet.fast.cuda.loader import contiguous, launch
from minunet.fast.same_as import same_as
from minunet.layers import pool as readable
from minunet.layers.checks import check_gradient, check_max_pool
from minunet.layers.pool import MaxPoolCache

SOURCE = "pool"


@same_as(readable.max_pool_forward)
def max_pool_forward(x):
    check_max_pool(x)
    xp = array_module(x)
    N, C, H, W = x.shape
    y = xp.empty((N, C, H // 2, W // 2), x.dtype)
    winner = xp.empty(y.shape, np.uint8)
    launch(SOURCE, "max_pool_forward", y.size, contiguous(x, x.dtype), y, winner, y.size, W // 2)
    return y, MaxPoolCache(winner)


@same_as(readable.max_pool_backward)
def max_pool_backward(dy, cache):
    check_gradient(dy, cache.winner.shape, cache.winner)
    N, C, OH, OW = dy.shape
    dy = contiguous(dy, dy.dtype)
    dx = array_module(dy).empty((N, C, 2 * OH, 2 * OW), dy.dtype)
    launch(SOURCE, "max_pool_backward", dy.size, dy, contiguous(cache.winner, np.uint8), dx, dy.size, OW)
    return dx
