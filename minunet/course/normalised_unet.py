"""A U-Net with batch normalisation, for notebook 17 and benchmarks/batch_norm.py, made of the library's layers.

It is the U-Net of `minunet/network/unet.py` with one change: between each 3x3 convolution and its ReLU, the channels
are normalised. Those convolutions have no bias, since the mean that is taken away would take the bias with it.

Training changes the parameters. The running averages are no parameters, and have a list of their own: one pair (mean,
variance) for each normalisation, in the forward order. `fold_unet` puts both together into the parameters of a plain
U-Net, which `unet_forward` and `predict` run.
"""

from typing import Any, NamedTuple

import numpy as np

from minunet.backend import Array, Params
from minunet.fast.layers import (
    conv2d_backward,
    conv2d_forward,
    crop_concat_backward,
    crop_concat_forward,
    max_pool_backward,
    max_pool_forward,
    relu_backward,
    relu_forward,
    up_conv_backward,
    up_conv_forward,
)
from minunet.layers.batch_norm import (
    BatchNormCache,
    batch_norm_backward,
    batch_norm_forward,
    fold_batch_norm,
    update_running,
)

CONVS = ("conv1", "conv2")  # the two convolutions of a double convolution


class NormalisedUnetCache(NamedTuple):
    encode: list[tuple]  # (double convolution, pool) of each level
    bottom: Any
    decode: list[tuple]  # (up-convolution, crop-and-concatenate, double convolution) of each level
    head: Any


def with_batch_norm(params: Params) -> Params:
    """Return the parameters of a U-Net with gamma = 1 and beta = 0 in place of each bias of a 3x3 convolution."""
    return {
        "encode": [_normalised(level) for level in params["encode"]],
        "bottom": _normalised(params["bottom"]),
        "decode": [{"up": level["up"], **_normalised(level)} for level in params["decode"]],
        "head": params["head"],
    }


def normalised_unet_forward(params: Params, x: Array) -> tuple[Array, NormalisedUnetCache]:
    """Run the network as in training; `params` as from `with_batch_norm`, x (N, C, H, W)."""
    y = x
    skips: list[Array] = []
    encode: list[tuple] = []
    decode: list[tuple] = []
    for level in params["encode"]:
        skip, convs = double_conv_forward(level, y)
        y, pool = max_pool_forward(skip)
        skips.append(skip)
        encode.append((convs, pool))
    y, bottom = double_conv_forward(params["bottom"], y)
    for level in reversed(params["decode"]):
        y, up = up_conv_forward(y, **level["up"])
        y, concat = crop_concat_forward(skips.pop(), y)
        y, convs = double_conv_forward(level, y)
        decode.insert(0, (up, concat, convs))
    logits, head = conv2d_forward(y, **params["head"])
    return logits, NormalisedUnetCache(encode, bottom, decode, head)


def normalised_unet_backward(dlogits: Array, cache: NormalisedUnetCache) -> Params:
    """Return the gradients, in the structure of `params`."""
    encode: list[Params] = []
    decode: list[Params] = []
    dskips: list[Array] = []
    dy, dweight, dbias = conv2d_backward(dlogits, cache.head)
    head = {"weight": dweight, "bias": dbias}
    for up, concat, convs in cache.decode:
        dy, conv_grads = double_conv_backward(dy, convs)
        dskip, dy = crop_concat_backward(dy, concat)
        dy, dweight, dbias = up_conv_backward(dy, up)
        dskips.append(dskip)
        decode.append({"up": {"weight": dweight, "bias": dbias}, **conv_grads})
    dy, bottom = double_conv_backward(dy, cache.bottom)
    for convs, pool in reversed(cache.encode):
        dy = max_pool_backward(dy, pool) + dskips.pop()
        dy, conv_grads = double_conv_backward(dy, convs)
        encode.insert(0, conv_grads)
    return {"encode": encode, "bottom": bottom, "decode": decode, "head": head}


def double_conv_forward(params: Params, x: Array) -> tuple[Array, list[tuple]]:
    """Convolve, normalise and cut off at zero, twice."""
    y, caches = x, []
    for name in CONVS:
        y, cache = conv_norm_relu_forward(y, **params[name])
        caches.append(cache)
    return y, caches


def double_conv_backward(dy: Array, caches: list[tuple]) -> tuple[Array, Params]:
    """Return dx, and the gradients of conv1 and conv2."""
    grads = {}
    for name, cache in zip(reversed(CONVS), reversed(caches), strict=True):
        dy, *gradients = conv_norm_relu_backward(dy, cache)
        grads[name] = dict(zip(("weight", "gamma", "beta"), gradients, strict=True))
    return dy, {name: grads[name] for name in CONVS}


def conv_norm_relu_forward(x: Array, weight: Array, gamma: Array, beta: Array) -> tuple[Array, tuple]:
    """Convolve without a bias, normalise, and set everything negative to zero."""
    y, conv = conv2d_forward(x, weight, np.zeros_like(beta))
    y, norm = batch_norm_forward(y, gamma, beta)
    y, relu = relu_forward(y)
    return y, (conv, norm, relu)


def conv_norm_relu_backward(dy: Array, cache: tuple) -> tuple[Array, Array, Array, Array]:
    """Return dx, dweight, dgamma, dbeta."""
    conv, norm, relu = cache
    dy = relu_backward(dy, relu)
    dy, dgamma, dbeta = batch_norm_backward(dy, norm)
    dx, dweight, _ = conv2d_backward(dy, conv)
    return dx, dweight, dgamma, dbeta


def first_running(params: Params) -> list[tuple[Array, Array]]:
    """Return mean 0 and variance 1 for every normalisation, in the forward order."""
    return [(np.zeros_like(conv["beta"]), np.ones_like(conv["beta"])) for conv in _convs(params)]


def next_running(running: list, cache: NormalisedUnetCache, momentum: float = 0.1) -> list[tuple[Array, Array]]:
    """Move the running averages towards the statistics of this step."""
    pairs = zip(running, _norms(cache), strict=True)
    return [update_running(mean, variance, norm, momentum) for (mean, variance), norm in pairs]


def fold_unet(params: Params, running: list[tuple[Array, Array]]) -> Params:
    """Return the parameters of the plain U-Net that does the same at prediction."""
    pairs = iter(running)

    def folded(level: Params) -> Params:
        return {name: dict(zip(("weight", "bias"), _folded(level[name], *next(pairs)), strict=True)) for name in CONVS}

    encode = [folded(level) for level in params["encode"]]
    bottom = folded(params["bottom"])
    decode = [{"up": level["up"], **folded(level)} for level in reversed(params["decode"])]
    return {"encode": encode, "bottom": bottom, "decode": decode[::-1], "head": params["head"]}


def _folded(conv: Params, mean: Array, variance: Array) -> tuple[Array, Array]:
    return fold_batch_norm(conv["weight"], np.zeros_like(conv["beta"]), conv["gamma"], conv["beta"], mean, variance)


def _normalised(level: Params) -> Params:
    """Return conv1 and conv2 with gamma and beta in place of the bias."""
    return {
        name: {"weight": conv["weight"], "gamma": np.ones_like(conv["bias"]), "beta": np.zeros_like(conv["bias"])}
        for name, conv in ((name, level[name]) for name in CONVS)
    }


def _convs(params: Params) -> list[Params]:
    levels = [*params["encode"], params["bottom"], *reversed(params["decode"])]
    return [level[name] for level in levels for name in CONVS]


def _norms(cache: NormalisedUnetCache) -> list[BatchNormCache]:
    doubles = [convs for convs, _ in cache.encode] + [cache.bottom] + [convs for *_, convs in reversed(cache.decode)]
    return [norm for convs in doubles for _, norm, _ in convs]
