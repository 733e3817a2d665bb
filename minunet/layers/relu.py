"""ReLU: a gate in front of every pixel, open where x is positive.

    y  = x   where x > 0,  else 0
    dx = dy  where x > 0,  else 0          (at x = 0 there is no derivative; here it is 0)

The cache holds y and not x: y > 0 exactly where x > 0, and the next layer keeps y anyway, so it costs no memory. y IS
the cache, the only output of a layer that is: whoever changes y in place changes the gradient.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_floating, check_gradient


class ReluCache(NamedTuple):
    y: Array  # any shape


def relu_forward(x: Array) -> tuple[Array, ReluCache]:
    """Set everything negative to zero (Fig. 1, "ReLU").

    Parameters
    ----------
    x : array, any shape

    Returns
    -------
    y : array, the shape of x
        The very array that the cache holds; copy it before you change it.
    cache : ReluCache
    """
    check_floating(x, "x")
    y = array_module(x).maximum(x, 0)
    return y, ReluCache(y)


def relu_backward(dy: Array, cache: ReluCache) -> Array:
    """Let the gradient through the gates that were open.

    Parameters
    ----------
    dy : array, the shape of x
    cache : ReluCache

    Returns
    -------
    dx : array, the shape of x
    """
    check_cache(cache, ReluCache)
    check_gradient(dy, cache.y.shape, cache.y)
    return dy * (cache.y > 0)
