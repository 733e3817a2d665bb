"""The readable layers, part by part on all cores: each function equals the one of its name in `minunet/layers`.

A channel of a max-pool knows nothing of the others. Nor does a row of an up-convolution, but that all of them add to
the gradients of the weights.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.parallel import in_parallel, slices
from minunet.layers import pool, up_conv
from minunet.layers.checks import check_gradient, check_max_pool, check_up_conv
from minunet.layers.pool import MaxPoolCache
from minunet.layers.up_conv import UpConvCache

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


def up_conv_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, UpConvCache]:
    """Do what `minunet.layers.up_conv.up_conv_forward` does; same arguments, results and errors."""
    check_up_conv(x, weight, bias)
    N, C, H, W = x.shape
    y = np.empty((N, weight.shape[1], 2 * H, 2 * W), x.dtype)

    def work(rows: slice) -> None:
        y[:, :, 2 * rows.start : 2 * rows.stop], _ = up_conv.up_conv_forward(x[:, :, rows], weight, bias)

    in_parallel(work, _rows(x))
    return y, UpConvCache(x, weight)


def up_conv_backward(dy: Array, cache: UpConvCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.up_conv.up_conv_backward` does; same arguments, results and errors."""
    x, weight = cache
    N, C, H, W = x.shape
    check_gradient(dy, (N, weight.shape[1], 2 * H, 2 * W), x)
    dx = np.empty(x.shape, x.dtype)

    def work(rows: slice) -> tuple[Array, Array]:
        dy_rows = dy[:, :, 2 * rows.start : 2 * rows.stop]
        dx[:, :, rows], dweight, dbias = up_conv.up_conv_backward(dy_rows, UpConvCache(x[:, :, rows], weight))
        return dweight, dbias

    dweights, dbiases = zip(*in_parallel(work, _rows(x)), strict=True)
    return dx, sum(dweights), sum(dbiases)


def _channels(x: Array) -> list[slice]:
    C, H, W = x.shape[1:]
    return slices(C, at_most=max(1, PIXELS // (H * W))) if x.size >= WORTH else [slice(0, C)]


def _rows(x: Array) -> list[slice]:
    H = x.shape[2]
    return slices(H) if x.size >= WORTH else [slice(0, H)]
