"""The U-Net of Fig. 1: down, bottom, up, head; and the same way back.

    x --> double_conv --+--------------- crop ---> concat -> double_conv --> head --> logits
                        |                            ^
                        +-> pool -> ... level 1 ... up_conv

A level's output goes two ways, to the pool and to the skip connection. On the way back two gradients meet at that
fork, and their sum is the gradient of the level's output.

Departures from the paper: none in the network, unless it is made with norm="batch": then a batch normalisation stands
between each 3x3 convolution and its ReLU. Dropout "at the end of the contracting path" (section 3.1) is one
layer, on the bottom's output. The authors' Caffe release differs from Fig. 1; this follows Fig. 1.

All layers come from one import, of `minunet.fast.layers`. With `minunet.layers` there instead, the same network runs on
the readable layers alone.
"""

from typing import Any, NamedTuple

import numpy as np

from minunet.backend import Array, Constant, Params
from minunet.fast.layers import (
    conv2d_backward,
    conv2d_forward,
    conv2d_norm_relu_backward,
    conv2d_norm_relu_forward,
    conv2d_relu_backward,
    conv2d_relu_forward,
    crop_concat_backward,
    crop_concat_forward,
    dropout_backward,
    dropout_forward,
    max_pool_backward,
    max_pool_forward,
    up_conv_backward,
    up_conv_forward,
)
from minunet.layers import (
    BatchNormCache,
    Conv2dCache,
    CropConcatCache,
    DropoutCache,
    MaxPoolCache,
    ReluCache,
    UpConvCache,
)
from minunet.network.checks import check_dlogits, check_input


class DoubleConvCache(NamedTuple):
    conv1: Conv2dCache
    relu1: ReluCache
    conv2: Conv2dCache
    relu2: ReluCache
    norm1: BatchNormCache | None = None  # with the statistics of this batch; None in a network without normalisation
    norm2: BatchNormCache | None = None


class EncodeCache(NamedTuple):
    conv: DoubleConvCache
    pool: MaxPoolCache


class DecodeCache(NamedTuple):
    up: UpConvCache
    concat: CropConcatCache
    conv: DoubleConvCache


class UnetCache(NamedTuple):
    encode: list[EncodeCache]  # level 0 first
    bottom: DoubleConvCache
    dropout: DropoutCache | None
    decode: list[DecodeCache]  # level 0 first
    head: Conv2dCache


def unet_forward(
    params: Params, x: Constant, dropout_rate: float = 0.0, rng: np.random.Generator | None = None
) -> tuple[Array, UnetCache]:
    """Run the network on a batch of tiles.

    Batch normalisation, if the network has it, is that of training: by the statistics of this batch, over the pixels
    of all its tiles.

    Parameters
    ----------
    params : as from `init_unet`
    x : array, (N, C, H, W)
    dropout_rate : float
        Probability of dropping an element of the bottom's output; 0 to predict.
    rng : numpy.random.Generator
        Needed if `dropout_rate` is not 0.

    Returns
    -------
    logits : array, (N, K, OH, OW), with OH = output_size(H, depth), OW = output_size(W, depth)
    cache : UnetCache

    Raises
    ------
    InputError
        If the size does not fit the depth (names the nearest sizes that do), or the channels do not fit.
    """
    check_input(params, x, dropout_rate)
    y = x
    skips: list[Array] = []
    encode: list[EncodeCache] = []
    decode: list[DecodeCache] = []

    for level in params["encode"]:
        skip, conv_cache = double_conv_forward(level, y)  # (N, F, H - 4, W - 4)
        y, pool_cache = max_pool_forward(skip)  # (N, F, H / 2, W / 2)
        skips.append(skip)
        encode.append(EncodeCache(conv_cache, pool_cache))

    y, bottom = double_conv_forward(params["bottom"], y)
    dropout = None
    if dropout_rate:
        y, dropout = dropout_forward(y, dropout_rate, rng)

    for level in reversed(params["decode"]):
        y, up_cache = up_conv_forward(y, **level["up"])  # (N, F, 2H, 2W)
        y, concat_cache = crop_concat_forward(skips.pop(), y)  # (N, 2F, H, W)
        y, conv_cache = double_conv_forward(level, y)  # (N, F, H - 4, W - 4)
        decode.insert(0, DecodeCache(up_cache, concat_cache, conv_cache))

    logits, head = conv2d_forward(y, **params["head"])  # (N, K, OH, OW)
    return logits, UnetCache(encode, bottom, dropout, decode, head)


def unet_backward(dlogits: Array, cache: UnetCache, with_dx: bool = False) -> Any:
    """Walk the network from bottom to top of `unet_forward`; return the gradient of every parameter.

    Parameters
    ----------
    dlogits : array, (N, K, OH, OW)
    cache : UnetCache
    with_dx : bool
        Return the gradient of the input as well.

    Returns
    -------
    grads : the structure of `params`; or (grads, dx) with dx (N, C, H, W)
    """
    check_dlogits(dlogits, cache)
    encode: list[Params] = []
    decode: list[Params] = []
    dskips: list[Array] = []

    dy, head = _conv_grads(conv2d_backward(dlogits, cache.head))

    for decode_cache in cache.decode:
        dy, conv_grads = double_conv_backward(dy, decode_cache.conv)
        dskip, dy = crop_concat_backward(dy, decode_cache.concat)
        dy, up_grads = _conv_grads(up_conv_backward(dy, decode_cache.up))
        if decode_cache.conv.norm1 is not None:
            up_grads["bias"] *= 0  # the normalisation takes away what it adds: without rounding it would be 0
        dskips.append(dskip)
        decode.append({"up": up_grads, **conv_grads})

    if cache.dropout is not None:
        dy = dropout_backward(dy, cache.dropout)
    dy, bottom = double_conv_backward(dy, cache.bottom)

    for encode_cache in reversed(cache.encode):
        dy = max_pool_backward(dy, encode_cache.pool)
        dy += dskips.pop()  # the fork: the pool's gradient and the skip connection's
        x_is_the_image = len(dskips) == 0  # no level is left above this one
        dy, conv_grads = double_conv_backward(dy, encode_cache.conv, with_dx=with_dx or not x_is_the_image)
        encode.insert(0, conv_grads)

    grads = {"encode": encode, "bottom": bottom, "decode": decode, "head": head}
    return (grads, dy) if with_dx else grads


def double_conv_forward(params: Params, x: Array) -> tuple[Array, DoubleConvCache]:
    """Do a valid 3x3 convolution, the normalisation if there is one, and a ReLU, twice.

    (N, C, H, W) -> (N, F, H - 4, W - 4)
    """
    if "norm1" in params:
        y, (conv1, norm1, relu1) = conv2d_norm_relu_forward(x, **params["conv1"], **params["norm1"])
        y, (conv2, norm2, relu2) = conv2d_norm_relu_forward(y, **params["conv2"], **params["norm2"])
        return y, DoubleConvCache(conv1, relu1, conv2, relu2, norm1, norm2)
    y, (conv1, relu1) = conv2d_relu_forward(x, **params["conv1"])
    y, (conv2, relu2) = conv2d_relu_forward(y, **params["conv2"])
    return y, DoubleConvCache(conv1, relu1, conv2, relu2)


def double_conv_backward(dy: Array, cache: DoubleConvCache, with_dx: bool = True) -> tuple[Any, Params]:
    """Return dx (N, C, H, W), or None without `with_dx`, and the gradients of the parameters."""
    if cache.norm1 is not None and cache.norm2 is not None:
        dy, conv2, norm2 = _norm_grads(conv2d_norm_relu_backward(dy, (cache.conv2, cache.norm2, cache.relu2)))
        dy, conv1, norm1 = _norm_grads(conv2d_norm_relu_backward(dy, (cache.conv1, cache.norm1, cache.relu1), with_dx))
        return dy, {"conv1": conv1, "norm1": norm1, "conv2": conv2, "norm2": norm2}
    dy, conv2 = _conv_grads(conv2d_relu_backward(dy, (cache.conv2, cache.relu2)))
    dy, conv1 = _conv_grads(conv2d_relu_backward(dy, (cache.conv1, cache.relu1), with_dx))
    return dy, {"conv1": conv1, "conv2": conv2}


def _conv_grads(gradients: tuple[Any, Array, Array]) -> tuple[Any, Params]:
    """Split (dx, dweight, dbias) into dx, which goes on to the layer before, and the gradients of the parameters."""
    dx, dweight, dbias = gradients
    return dx, {"weight": dweight, "bias": dbias}


def _norm_grads(gradients: tuple[Any, Array, Array, Array]) -> tuple[Any, Params, Params]:
    """Split (dx, dweight, dgamma, dbeta) into dx, and the gradients of the convolution and of the normalisation."""
    dx, dweight, dgamma, dbeta = gradients
    return dx, {"weight": dweight}, {"gamma": dgamma, "beta": dbeta}
