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

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, Params

CONV_INCOMING = (1, 2, 3)  # axes of a weight (F, C, KH, KW) along which one neuron's incoming nodes lie
UP_CONV_INCOMING = (0,)  # of a weight (C, F, 2, 2)


def init_conv2d(rng: np.random.Generator, in_channels: int, out_channels: int, size: int, dtype: DTypeLike) -> Params:
    """Return weight (F, C, size, size) and bias (F,) of a convolution."""
    shape = (out_channels, in_channels, size, size)
    return {"weight": _he(rng, shape, in_channels * size * size, dtype), "bias": np.zeros(out_channels, dtype)}


def init_up_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype: DTypeLike) -> Params:
    """Return weight (C, F, 2, 2) and bias (F,) of an up-convolution."""
    shape = (in_channels, out_channels, 2, 2)
    return {"weight": _he(rng, shape, in_channels, dtype), "bias": np.zeros(out_channels, dtype)}


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
