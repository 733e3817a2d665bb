"""Convolution and ReLU, one after the other: the arrow "conv 3x3, ReLU" of Fig. 1.

    y                    =  relu(conv2d(x, weight, bias))
    dx, dweight, dbias   =  conv2d_backward(relu_backward(dy))

A pair of functions can be built from other pairs. The forward pass calls the layers in order, and hands the output of
each to the next. The backward pass calls their backward passes in the reverse order, and hands the gradient of each to
the one before. The cache holds the caches of both.

Nothing is new here. The two have a pair of their own because `minunet/fast` can do both in one pass over the memory.
"""

from minunet.backend import Array
from minunet.layers.cache_checks import check_tuple_of_caches
from minunet.layers.conv import Conv2dCache, conv2d_backward, conv2d_forward
from minunet.layers.relu import ReluCache, relu_backward, relu_forward


def conv2d_relu_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Conv2dCache, ReluCache]]:
    """Convolve, and set everything negative to zero.

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (F, C, KH, KW)
    bias : array, (F,)

    Returns
    -------
    y : array, (N, F, H - KH + 1, W - KW + 1)
    cache : (Conv2dCache, ReluCache)

    Raises
    ------
    InputError
        As `conv2d_forward`.
    """
    y, conv_cache = conv2d_forward(x, weight, bias)
    y, relu_cache = relu_forward(y)
    return y, (conv_cache, relu_cache)


def conv2d_relu_backward(
    dy: Array, cache: tuple[Conv2dCache, ReluCache], with_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """Go back through the ReLU, then through the convolution.

    Parameters
    ----------
    dy : array, (N, F, OH, OW)
    cache : (Conv2dCache, ReluCache)
    with_dx : bool
        Whether to return dx. The first layer of a network takes the image, whose gradient is seldom needed.

    Returns
    -------
    dx : array, (N, C, H, W); None without `with_dx`
    dweight : array, (F, C, KH, KW)
    dbias : array, (F,)
    """
    check_tuple_of_caches(cache, Conv2dCache, ReluCache)
    conv_cache, relu_cache = cache
    dy = relu_backward(dy, relu_cache)
    dx, dweight, dbias = conv2d_backward(dy, conv_cache)
    return dx if with_dx else None, dweight, dbias
