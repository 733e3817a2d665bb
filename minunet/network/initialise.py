"""He initialisation: weights from a Gaussian of standard deviation sqrt(2 / N), biases zero (section 3).

N is the number of incoming nodes of one neuron, so that the variance of the activations stays level from layer to
layer. For a KHxKW convolution that is C * KH * KW (3x3 on 64 channels: 576). For the up-convolution it is C: with
stride 2, each output pixel is painted by exactly one of the four taps, so only C nodes come in.

`centre` is a step that the paper does not have; `minunet train` takes it unless the recipe is the paper's. What leaves
a ReLU is never negative, so the inputs of a neuron share a large mean, and most of what plain He weights pass on at
first is that mean. A neuron whose weights sum to zero is blind to it and sees only what differs, and gradient descent
gets on much faster: benchmarks/README.md has the comparison. The price is small: without the mean, about a third of the
power (1 / pi) is lost at each ReLU, which the pools, picking the largest, partly give back.
"""

import numpy as np

from minunet.backend import Array, flatten


def init_conv2d(rng: np.random.Generator, in_channels: int, out_channels: int, size: int, dtype) -> dict[str, Array]:
    """Return weight (F, C, size, size) and bias (F,) of a convolution."""
    shape = (out_channels, in_channels, size, size)
    return {"weight": _he(rng, shape, in_channels * size * size, dtype), "bias": np.zeros(out_channels, dtype)}


def init_up_conv(rng: np.random.Generator, in_channels: int, out_channels: int, dtype) -> dict[str, Array]:
    """Return weight (C, F, 2, 2) and bias (F,) of an up-convolution."""
    shape = (in_channels, out_channels, 2, 2)
    return {"weight": _he(rng, shape, in_channels, dtype), "bias": np.zeros(out_channels, dtype)}


def centre(params: dict) -> None:
    """Shift the N weights of every neuron, in place, so that they sum to zero; their standard deviation stays.

    `params` as from `init_unet`. A neuron with a single incoming node keeps its weight.
    """
    for name, weight in flatten(params).items():
        if not name.endswith("weight"):
            continue
        incoming = (0,) if name.endswith("up.weight") else (1, 2, 3)  # (C, F, 2, 2), or (F, C, KH, KW)
        mean = weight.mean(axis=incoming, keepdims=True)
        N = weight.size // mean.size
        if N > 1:
            weight -= mean
            weight *= np.sqrt(N / (N - 1)).astype(weight.dtype)


def _he(rng: np.random.Generator, shape: tuple[int, ...], incoming: int, dtype) -> Array:
    return (rng.standard_normal(shape) * np.sqrt(2 / incoming)).astype(dtype)
