"""The U-Net of Fig. 1: down, bottom, up, head; and the same way back.

    x --> double_conv --+--------------- crop ---> concat -> double_conv --> head --> logits
                        |                            ^
                        +-> pool -> ... level 1 ... up_conv

A level's output goes two ways, to the pool and to the skip connection. On the way back two gradients meet at that
fork, and their sum is the gradient of the level's output.

Departures from the paper: none in the network. Dropout "at the end of the contracting path" (section 3.1) is one
layer, on the bottom's output. The authors' Caffe release differs from Fig. 1; this follows Fig. 1.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from minunet.backend import Array, Constant, check_same_device
from minunet.errors import InputError
from minunet.fast.conv import (  # fast: as in minunet.layers, and faster
    conv2d_backward,
    conv2d_forward,
    conv2d_relu_backward,
    conv2d_relu_forward,
)
from minunet.fast.layers import (
    crop_concat_backward,
    crop_concat_forward,
    max_pool_backward,
    max_pool_forward,
    up_conv_backward,
    up_conv_forward,
)
from minunet.layers.checks import check_axes
from minunet.layers.conv import Conv2dCache
from minunet.layers.crop_concat import CropConcatCache
from minunet.layers.dropout import DropoutCache, dropout_backward, dropout_forward
from minunet.layers.pool import MaxPoolCache
from minunet.layers.relu import ReluCache
from minunet.layers.up_conv import UpConvCache
from minunet.network.initialise import init_conv2d, init_up_conv
from minunet.network.sizes import trace


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
    dtype=np.float32,
) -> dict:
    """Return freshly initialised parameters (He; see `initialise.py`) as nested dicts and lists.

    The channels double at each level down, from `base_channels` to base_channels * 2**depth at the bottom. With the
    default arguments this is the network of Fig. 1: 23 convolutional layers, 31,030,658 parameters.

    Raises
    ------
    InputError
        If a number of channels or classes, or the depth, is below 1.
    """
    for name, number in (
        ("in_channels", in_channels),
        ("num_classes", num_classes),
        ("base_channels", base_channels),
        ("depth", depth),
    ):
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise InputError(f"{name} must be a whole number of at least 1, got {number!r}")
    widths = [base_channels * 2**level for level in range(depth + 1)]
    return {
        "encode": [_init_double_conv(rng, C, F, dtype) for C, F in pairwise([in_channels, *widths[:-1]])],
        "bottom": _init_double_conv(rng, widths[-2], widths[-1], dtype),
        "decode": [
            {"up": init_up_conv(rng, 2 * F, F, dtype), **_init_double_conv(rng, 2 * F, F, dtype)} for F in widths[:-1]
        ],
        "head": init_conv2d(rng, base_channels, num_classes, 1, dtype),
    }


def unet_forward(
    params: dict, x: Constant, dropout_rate: float = 0.0, rng: np.random.Generator | None = None
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
    _check_input(params, x)
    y, skips = x, []
    encode, decode = [], []

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


def unet_backward(dlogits: Array, cache: UnetCache, with_dx: bool = False) -> dict | tuple[dict, Array]:
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
    encode, decode, dskips = [], [], []

    dy, head = _conv_grads(conv2d_backward(dlogits, cache.head))

    for level in cache.decode:
        dy, conv_grads = double_conv_backward(dy, level.conv)
        dskip, dy = crop_concat_backward(dy, level.concat)
        dy, up_grads = _conv_grads(up_conv_backward(dy, level.up))
        dskips.append(dskip)
        decode.append({"up": up_grads, **conv_grads})

    if cache.dropout is not None:
        dy = dropout_backward(dy, cache.dropout)
    dy, bottom = double_conv_backward(dy, cache.bottom)

    for level in reversed(cache.encode):
        dy = max_pool_backward(dy, level.pool)
        dy = dy + dskips.pop()  # the fork: the pool's gradient and the skip connection's
        dy, conv_grads = double_conv_backward(dy, level.conv, with_dx or bool(dskips))  # the image's, if wanted
        encode.insert(0, conv_grads)

    grads = {"encode": encode, "bottom": bottom, "decode": decode, "head": head}
    return (grads, dy) if with_dx else grads


def double_conv_forward(params: dict, x: Array) -> tuple[Array, DoubleConvCache]:
    """Twice a valid 3x3 convolution and a ReLU: (N, C, H, W) -> (N, F, H - 4, W - 4)."""
    y, (conv1, relu1) = conv2d_relu_forward(x, **params["conv1"])
    y, (conv2, relu2) = conv2d_relu_forward(y, **params["conv2"])
    return y, DoubleConvCache(conv1, relu1, conv2, relu2)


def double_conv_backward(dy: Array, cache: DoubleConvCache, with_dx: bool = True) -> tuple[Array | None, dict]:
    """Return dx (N, C, H, W), which may be None if it is not wanted, and the gradients of conv1 and conv2."""
    dy, conv2 = _conv_grads(conv2d_relu_backward(dy, (cache.conv2, cache.relu2)))
    dy, conv1 = _conv_grads(conv2d_relu_backward(dy, (cache.conv1, cache.relu1), with_dx))
    return dy, {"conv1": conv1, "conv2": conv2}


def _conv_grads(gradients: tuple[Array, Array, Array]) -> tuple[Array, dict]:
    """Sort (dx, dweight, dbias) into dx, which goes on, and the layer's own."""
    dx, dweight, dbias = gradients
    return dx, {"weight": dweight, "bias": dbias}


def _init_double_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype) -> dict:
    return {
        "conv1": init_conv2d(rng, in_channels, out_channels, 3, dtype),
        "conv2": init_conv2d(rng, out_channels, out_channels, 3, dtype),
    }


def _check_input(params: dict, x: Array) -> None:
    check_axes(x, "x", "N, C, H, W")
    depth = len(params["encode"])
    for size, axis in zip(x.shape[2:], ("height", "width"), strict=True):
        trace(size, depth, axis)
    weight = params["encode"][0]["conv1"]["weight"]
    check_same_device(params=weight, x=x)
    expected = weight.shape[1]
    if x.shape[1] != expected:
        raise InputError(
            f"the network takes C={expected} channels, got x {x.shape} with C={x.shape[1]}; "
            "init_unet(in_channels=...) makes one for other channels"
        )
