"""Convolution, batch normalisation and ReLU, one after the other: the step of a U-Net with batch normalisation.

    y                           =  relu(batch_norm(conv2d(x, weight, 0), gamma, beta))
    dx, dweight, dgamma, dbeta  =  conv2d_backward(batch_norm_backward(relu_backward(dy)))

The convolution has no bias: the normalisation takes the mean of each channel away, and would take a bias with it. The
shift beta does a bias's work.

As in `conv_relu.py`, nothing is new here. The three have a pair of their own because `minunet/fast` can do them in
fewer passes over the memory. What follows the convolution is a pair too, since a GPU has a convolution of its own, and
after it these lines.
"""

from minunet.backend import Array, array_module
from minunet.layers.batch_norm import EPSILON, BatchNormCache, batch_norm_backward, batch_norm_forward
from minunet.layers.cache_checks import check_tuple_of_caches
from minunet.layers.checks import check_axes
from minunet.layers.conv import Conv2dCache, conv2d_backward, conv2d_forward
from minunet.layers.relu import ReluCache, relu_backward, relu_forward


def conv2d_norm_relu_forward(
    x: Array, weight: Array, gamma: Array, beta: Array, epsilon: float = EPSILON
) -> tuple[Array, tuple[Conv2dCache, BatchNormCache, ReluCache]]:
    """Convolve without a bias, normalise by the statistics of this batch, and set everything negative to zero.

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (F, C, KH, KW)
    gamma : array, (F,)
    beta : array, (F,)
    epsilon : float, above 0

    Returns
    -------
    y : array, (N, F, H - KH + 1, W - KW + 1)
    cache : (Conv2dCache, BatchNormCache, ReluCache)

    Raises
    ------
    InputError
        As `conv2d_forward` and `batch_norm_forward`.
    """
    y, conv_cache = conv2d_forward(x, weight, no_bias(weight))
    y, (norm_cache, relu_cache) = norm_relu_forward(y, gamma, beta, epsilon)
    return y, (conv_cache, norm_cache, relu_cache)


def conv2d_norm_relu_backward(
    dy: Array, cache: tuple[Conv2dCache, BatchNormCache, ReluCache], with_dx: bool = True
) -> tuple[Array | None, Array, Array, Array]:
    """Go back through the ReLU, the normalisation and the convolution.

    Parameters
    ----------
    dy : array, (N, F, OH, OW)
    cache : (Conv2dCache, BatchNormCache, ReluCache)
    with_dx : bool
        Whether to return dx. The first layer of a network takes the image, whose gradient is seldom needed.

    Returns
    -------
    dx : array, (N, C, H, W); None without `with_dx`
    dweight : array, (F, C, KH, KW)
    dgamma : array, (F,)
    dbeta : array, (F,)
    """
    check_tuple_of_caches(cache, Conv2dCache, BatchNormCache, ReluCache)
    conv_cache, norm_cache, relu_cache = cache
    dy, dgamma, dbeta = norm_relu_backward(dy, (norm_cache, relu_cache))
    dx, dweight, _ = conv2d_backward(dy, conv_cache)
    return dx if with_dx else None, dweight, dgamma, dbeta


def norm_relu_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float = EPSILON
) -> tuple[Array, tuple[BatchNormCache, ReluCache]]:
    """Normalise x (N, C, H, W), with gamma (C,) and beta (C,), and set everything negative to zero."""
    y, norm_cache = batch_norm_forward(x, gamma, beta, epsilon)
    y, relu_cache = relu_forward(y)
    return y, (norm_cache, relu_cache)


def norm_relu_backward(dy: Array, cache: tuple[BatchNormCache, ReluCache]) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,) and dbeta (C,) for dy (N, C, H, W)."""
    norm_cache, relu_cache = cache
    return batch_norm_backward(relu_backward(dy, relu_cache), norm_cache)


def no_bias(weight: Array) -> Array:
    """Return zeros (F,), in place of the bias of a convolution with weight (F, C, KH, KW)."""
    check_axes(weight, "weight", "F, C, KH, KW")
    return array_module(weight).zeros(len(weight), weight.dtype)
