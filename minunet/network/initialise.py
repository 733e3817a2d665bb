"""He initialisation: weights from a Gaussian of standard deviation sqrt(2 / N), biases zero (section 3).

N is the number of incoming nodes of one neuron. With this deviation the variance of the activations stays the same from
layer to layer. For a KHxKW convolution N is C * KH * KW (3x3 on 64 channels: 576). For the up-convolution N is C: with
stride 2, exactly one of the four taps paints each output pixel, so only C nodes come in.

`centre` is a step that the paper does not have; `minunet train` takes it unless the recipe is the paper's. The output
of a ReLU is never negative, so the inputs of a neuron share a large mean, and with plain He weights most of a
neuron's output is that mean. A neuron whose weights sum to zero ignores the mean and sees only the differences. Then
gradient descent makes much faster progress: benchmarks/README.md has the comparison. The price is small: without the
mean, each ReLU loses about a third of the power (1 / pi), and the pools, which keep the largest, give part of it
back.
"""

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, Params
from minunet.network.checks import check_network_size

CONV_INCOMING = (1, 2, 3)  # axes of a weight (F, C, KH, KW) along which one neuron's incoming nodes lie
UP_CONV_INCOMING = (0,)  # of a weight (C, F, 2, 2)


def init_unet(
    rng: np.random.Generator,
    in_channels: int = 1,
    num_classes: int = 2,
    base_channels: int = 64,
    depth: int = 4,
    dtype: DTypeLike = np.float32,
    norm: str | None = None,
) -> Params:
    """Return freshly initialised parameters (He) as nested dicts and lists.

    The channels double at each level down, from `base_channels` to base_channels * 2**depth at the bottom. With the
    default arguments this is the network of Fig. 1: 23 convolutional layers, 31,030,658 parameters.

    With norm="batch" each 3x3 convolution is followed by a batch normalisation with gamma = 1 and beta = 0, and has no
    bias. Such parameters are for training: `network/running_averages.py` makes those of a plain network of them.

    Raises
    ------
    InputError
        If a number of channels or classes, or the depth, is no whole number of at least 1; if `rng` is no generator, or
        `dtype` no type of floating-point numbers, or `norm` neither None nor "batch".
    """
    check_network_size(
        rng, dtype, norm, in_channels=in_channels, num_classes=num_classes, base_channels=base_channels, depth=depth
    )
    init_level = partial(_init_double_conv, rng, dtype=dtype, norm=norm)
    widths = [int(base_channels) * 2**level for level in range(depth + 1)]  # NumPy's whole numbers may overflow
    return {
        "encode": [init_level(C, F) for C, F in pairwise([in_channels, *widths[:-1]])],
        "bottom": init_level(widths[-2], widths[-1]),
        "decode": [{"up": init_up_conv(rng, 2 * F, F, dtype), **init_level(2 * F, F)} for F in widths[:-1]],
        "head": init_conv2d(rng, base_channels, num_classes, 1, dtype),
    }


def init_conv2d(rng: np.random.Generator, in_channels: int, out_channels: int, size: int, dtype: DTypeLike) -> Params:
    """Return weight (F, C, size, size) and bias (F,) of a convolution."""
    shape = (out_channels, in_channels, size, size)
    return {"weight": _he(rng, shape, in_channels * size * size, dtype), "bias": np.zeros(out_channels, dtype)}


def init_up_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype: DTypeLike) -> Params:
    """Return weight (C, F, 2, 2) and bias (F,) of an up-convolution."""
    shape = (in_channels, out_channels, 2, 2)
    return {"weight": _he(rng, shape, in_channels, dtype), "bias": np.zeros(out_channels, dtype)}


def init_norm(channels: int, dtype: DTypeLike) -> Params:
    """Return gamma (C,), ones, and beta (C,), zeros, of a batch normalisation."""
    return {"gamma": np.ones(channels, dtype), "beta": np.zeros(channels, dtype)}


def _init_double_conv(
    rng: np.random.Generator, in_channels: int, out_channels: int, dtype: DTypeLike, norm: str | None
) -> Params:
    """Return the parameters of a double convolution, in the order of the forward pass."""
    conv1 = init_conv2d(rng, in_channels, out_channels, 3, dtype)
    conv2 = init_conv2d(rng, out_channels, out_channels, 3, dtype)
    if norm is None:
        return {"conv1": conv1, "conv2": conv2}
    return {
        "conv1": {"weight": conv1["weight"]},
        "norm1": init_norm(out_channels, dtype),
        "conv2": {"weight": conv2["weight"]},
        "norm2": init_norm(out_channels, dtype),
    }


def centre(params: Params) -> None:
    """Shift the N weights of every neuron, in place, so that they sum to zero; their standard deviation stays.

    `params` as from `init_unet`. A neuron with a single incoming node keeps its weight.
    """
    for double_conv in (*params["encode"], params["bottom"], *params["decode"]):
        _centre_weight(double_conv["conv1"]["weight"], CONV_INCOMING)
        _centre_weight(double_conv["conv2"]["weight"], CONV_INCOMING)
    for level in params["decode"]:
        _centre_weight(level["up"]["weight"], UP_CONV_INCOMING)
    _centre_weight(params["head"]["weight"], CONV_INCOMING)


def _centre_weight(weight: Array, incoming: tuple[int, ...]) -> None:
    mean = weight.mean(axis=incoming, keepdims=True)
    N = weight.size // mean.size
    if N > 1:
        weight -= mean
        weight *= np.sqrt(N / (N - 1)).astype(weight.dtype)


def _he(rng: np.random.Generator, shape: tuple[int, ...], incoming: int, dtype: DTypeLike) -> Array:
    return (rng.standard_normal(shape) * np.sqrt(2 / incoming)).astype(dtype)
