"""The U-Net of Fig. 1: down, bottom, up, head; and the same way back.

    x --> double_conv --+--------------- crop ---> concat -> double_conv --> head --> logits
                        |                            ^
                        +-> pool -> ... level 1 ... up_conv

A level's output goes two ways, to the pool and to the skip connection. On the way back two gradients meet at that
fork, and their sum is the gradient of the level's output.

Departures from the paper: none in the network. Dropout "at the end of the contracting path" (section 3.1) is one
layer, on the bottom's output. The authors' Caffe release differs from Fig. 1; this follows Fig. 1.

All layers come from one import, of `minunet.fast.layers`. With `minunet.layers` there instead, the same network runs on
the readable layers alone.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, Constant, Params
from minunet.fast.layers import (
    conv2d_backward,
    conv2d_forward,
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
from minunet.layers import Conv2dCache, CropConcatCache, DropoutCache, MaxPoolCache, ReluCache, UpConvCache
from minunet.network.checks import check_dlogits, check_input, check_network_size
from minunet.network.initialise import init_conv2d, init_up_conv


class DoubleConvCache(NamedTuple):
    conv1: Conv2dCache
    relu1: ReluCache
    conv2: Conv2dCache
    relu2: ReluCache


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


def init_unet(
    rng: np.random.Generator,
    in_channels: int = 1,
    num_classes: int = 2,
    base_channels: int = 64,
    depth: int = 4,
    dtype: DTypeLike = np.float32,
) -> Params:
    """Return freshly initialised parameters (He; see `initialise.py`) as nested dicts and lists.

    The channels double at each level down, from `base_channels` to base_channels * 2**depth at the bottom. With the
    default arguments this is the network of Fig. 1: 23 convolutional layers, 31,030,658 parameters.

    Raises
    ------
    InputError
        If a number of channels or classes, or the depth, is no whole number of at least 1; if `rng` is no generator, or
        `dtype` no type of floating-point numbers.
    """
    check_network_size(
        rng, dtype, in_channels=in_channels, num_classes=num_classes, base_channels=base_channels, depth=depth
    )
    widths = [int(base_channels) * 2**level for level in range(depth + 1)]  # NumPy's whole numbers may overflow
    return {
        "encode": [_init_double_conv(rng, C, F, dtype) for C, F in pairwise([in_channels, *widths[:-1]])],
        "bottom": _init_double_conv(rng, widths[-2], widths[-1], dtype),
        "decode": [
            {"up": init_up_conv(rng, 2 * F, F, dtype), **_init_double_conv(rng, 2 * F, F, dtype)} for F in widths[:-1]
        ],
        "head": init_conv2d(rng, base_channels, num_classes, 1, dtype),
    }


def unet_forward(
    params: Params, x: Constant, dropout_rate: float = 0.0, rng: np.random.Generator | None = None
) -> tuple[Array, UnetCache]:
    """Run the network on a batch of tiles.

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
    """Do a valid 3x3 convolution and a ReLU, twice: (N, C, H, W) -> (N, F, H - 4, W - 4)."""
    y, (conv1, relu1) = conv2d_relu_forward(x, **params["conv1"])
    y, (conv2, relu2) = conv2d_relu_forward(y, **params["conv2"])
    return y, DoubleConvCache(conv1, relu1, conv2, relu2)


def double_conv_backward(dy: Array, cache: DoubleConvCache, with_dx: bool = True) -> tuple[Any, Params]:
    """Return dx (N, C, H, W), or None without `with_dx`, and the gradients of conv1 and conv2."""
    dy, conv2 = _conv_grads(conv2d_relu_backward(dy, (cache.conv2, cache.relu2)))
    dy, conv1 = _conv_grads(conv2d_relu_backward(dy, (cache.conv1, cache.relu1), with_dx))
    return dy, {"conv1": conv1, "conv2": conv2}


def _conv_grads(gradients: tuple[Any, Array, Array]) -> tuple[Any, Params]:
    """Split (dx, dweight, dbias) into dx, which goes on to the layer before, and the gradients of the parameters."""
    dx, dweight, dbias = gradients
    return dx, {"weight": dweight, "bias": dbias}


def _init_double_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype: DTypeLike) -> Params:
    return {
        "conv1": init_conv2d(rng, in_channels, out_channels, 3, dtype),
        "conv2": init_conv2d(rng, out_channels, out_channels, 3, dtype),
    }
