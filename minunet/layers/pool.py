"""Max-pool: 2x2 windows, stride 2; the largest of four pixels wins.

    y[n,c,h,w]               = max_{i,j in 0..1}  x[n,c,2h+i,2w+j]
    dx[n,c,2h+i,2w+j]        = dy[n,c,h,w]  where (i,j) is the winner of window (h,w),  else 0

Ties: the first winner in row-major order takes the whole gradient, in every implementation.

The four corners of all windows are four strided views of x, so three comparisons of whole images find the winners.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_gradient, check_max_pool

CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]  # row-major: the order in which ties are decided


class MaxPoolCache(NamedTuple):
    winner: Array  # (N, C, H // 2, W // 2) uint8: index into CORNERS


def max_pool_forward(x: Array) -> tuple[Array, MaxPoolCache]:
    """Halve height and width, keeping the largest pixel of every 2x2 window (Fig. 1, "max pool 2x2").

    Parameters
    ----------
    x : array, (N, C, H, W), H and W even

    Returns
    -------
    y : array, (N, C, H // 2, W // 2)
    cache : MaxPoolCache

    Raises
    ------
    InputError
        If H or W is odd.
    """
    check_max_pool(x)
    xp = array_module(x)
    y = x[:, :, 0::2, 0::2]  # (N, C, H/2, W/2)
    winner = xp.zeros(y.shape, xp.uint8)
    for k, (i, j) in enumerate(CORNERS[1:], start=1):
        corner = x[:, :, i::2, j::2]
        winner = xp.where(corner > y, xp.uint8(k), winner)  # strictly greater: in a tie the first one stays
        y = xp.maximum(y, corner)
    return y, MaxPoolCache(winner)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """Hand each gradient to the pixel that won; the three others get zero.

    Parameters
    ----------
    dy : array, (N, C, H // 2, W // 2)
    cache : MaxPoolCache

    Returns
    -------
    dx : array, (N, C, H, W)
    """
    check_cache(cache, MaxPoolCache)
    check_gradient(dy, cache.winner.shape, cache.winner)
    xp = array_module(dy)
    N, C, OH, OW = dy.shape
    dx = xp.empty((N, C, 2 * OH, 2 * OW), dy.dtype)  # every pixel is a corner of one window: all are written
    for k, (i, j) in enumerate(CORNERS):
        dx[:, :, i::2, j::2] = dy * (cache.winner == k)
    return dx
