"""Inverted dropout: each element is switched off with probability `rate`, the others are scaled up.

    y  = x  * keep / (1 - rate)          keep is 1 with probability 1 - rate, else 0
    dx = dy * keep / (1 - rate)

The scaling keeps the expected value of y equal to x. So prediction needs no correction: it leaves the layer out.
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array, array_module, check_generator
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_floating, check_gradient, check_rate


class DropoutCache(NamedTuple):
    keep: Array  # the shape of x, bool
    rate: float


def dropout_forward(x: Array, rate: float, rng: np.random.Generator | None) -> tuple[Array, DropoutCache]:
    """Drop elements of `x` at random ("drop-out layers at the end of the contracting path", section 3.1).

    Parameters
    ----------
    x : array, any shape
    rate : float, 0 <= rate < 1
        Probability that an element is dropped.
    rng : numpy.random.Generator
        Draws on the host, so that NumPy and CuPy drop the same elements.

    Returns
    -------
    y : array, the shape of x
    cache : DropoutCache

    Raises
    ------
    InputError
        If `rate` is outside [0, 1) or there is no generator.
    """
    check_floating(x, "x")
    check_rate(rate)
    rng = check_generator(rng)
    rate = float(rate)  # a NumPy scalar would turn a float32 x into float64
    keep = array_module(x).asarray(rng.random(x.shape, np.float32) >= rate)
    return _scaled(x, keep, rate), DropoutCache(keep, rate)


def dropout_backward(dy: Array, cache: DropoutCache) -> Array:
    """Drop and scale the gradient exactly as x was.

    Parameters
    ----------
    dy : array, the shape of x
    cache : DropoutCache

    Returns
    -------
    dx : array, the shape of x
    """
    check_cache(cache, DropoutCache)
    check_gradient(dy, cache.keep.shape, cache.keep)
    return _scaled(dy, cache.keep, cache.rate)


def _scaled(x: Array, keep: Array, rate: float) -> Array:
    return x * keep * (1 / (1 - rate))
