"""He initialisation: weights from a Gaussian of standard deviation sqrt(2 / N), biases zero (section 3).

N is the number of incoming nodes of one neuron, so that the variance of the activations stays level from layer to
layer. For a KHxKW convolution that is C * KH * KW (3x3 on 64 channels: 576). For the up-convolution it is C: with
stride 2, each output pixel is painted by exactly one of the four taps, so only C nodes come in.

One step that the paper does not have: the N weights of a neuron are centred, so that their sum is zero (and scaled
by sqrt(N / (N - 1)), so that their standard deviation is as before). What leaves a ReLU is never negative, so the
inputs of a neuron share a large mean. A centred neuron is blind to that mean at the start and sees only what differs,
and gradient descent gets on much faster: benchmarks/README.md has the comparison. The price is small: without the
mean, about a third of the power (1 / pi) is lost at each ReLU, which the pools, picking the largest, partly give back.
"""

import math

import numpy as np

from minunet.backend import Array


def init_conv2d(rng: np.random.Generator, in_channels: int, out_channels: int, size: int, dtype) -> dict[str, Array]:
    """Return weight (F, C, size, size) and bias (F,) of a convolution."""
    weight = _he(rng, (out_channels, in_channels, size, size), incoming=(1, 2, 3))
    return {"weight": weight.astype(dtype), "bias": np.zeros(out_channels, dtype)}


def init_up_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype) -> dict[str, Array]:
    """Return weight (C, F, 2, 2) and bias (F,) of an up-convolution."""
    weight = _he(rng, (in_channels, out_channels, 2, 2), incoming=(0,))
    return {"weight": weight.astype(dtype), "bias": np.zeros(out_channels, dtype)}


def _he(rng: np.random.Generator, shape: tuple[int, ...], incoming: tuple[int, ...]) -> Array:
    """Return centred Gaussian weights; `incoming` are the axes over which a neuron adds up its N inputs."""
    N = math.prod(shape[axis] for axis in incoming)
    weight = np.sqrt(2 / N) * rng.standard_normal(shape)
    if N == 1:
        return weight  # its mean is all that there is
    return (weight - weight.mean(axis=incoming, keepdims=True)) * np.sqrt(N / (N - 1))
