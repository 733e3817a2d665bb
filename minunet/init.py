"""He initialisation: weights from a Gaussian of standard deviation sqrt(2 / N), biases zero (section 3).

N is the number of incoming nodes of one neuron, so that the variance of the activations stays level from layer to
layer. For a KHxKW convolution that is C * KH * KW (3x3 on 64 channels: 576). For the up-convolution it is C: with
stride 2, each output pixel is painted by exactly one of the four taps, so only C nodes come in.
"""

import numpy as np

from minunet.backend import Array


def init_conv2d(rng: np.random.Generator, in_channels: int, out_channels: int, size: int, dtype) -> dict[str, Array]:
    """Return weight (F, C, size, size) and bias (F,) of a convolution."""
    shape = (out_channels, in_channels, size, size)
    return {"weight": _he(rng, shape, in_channels * size * size, dtype), "bias": np.zeros(out_channels, dtype)}


def init_up_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype) -> dict[str, Array]:
    """Return weight (C, F, 2, 2) and bias (F,) of an up-convolution."""
    shape = (in_channels, out_channels, 2, 2)
    return {"weight": _he(rng, shape, in_channels, dtype), "bias": np.zeros(out_channels, dtype)}


def _he(rng: np.random.Generator, shape: tuple[int, ...], incoming: int, dtype) -> Array:
    return (rng.standard_normal(shape) * np.sqrt(2 / incoming)).astype(dtype)
