"""The other layers that the network uses: on a GPU by a CUDA kernel, else by the readable layer.

On NumPy arrays these are the functions of `minunet/layers`, called by another name. On CuPy arrays a readable layer
is several passes over the memory, one for each operation; a kernel of `minunet/fast/cuda` is one. Should the kernels
not compile, the readable layer takes their place, which knows CuPy too, and one warning says so.

MINUNET_KERNELS=readable in the environment rules the kernels out.
"""

import os

import numpy as np

from minunet.backend import Array, Constant, array_module
from minunet.errors import InputError
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.fast.cuda.loader import compiles
from minunet.layers import crop_concat, loss, pool, relu
from minunet.layers.crop_concat import CropConcatCache
from minunet.layers.loss import SoftmaxCrossEntropyCache
from minunet.layers.pool import MaxPoolCache
from minunet.layers.relu import ReluCache

WAYS = ("auto", "readable")


def relu_forward(x: Array) -> tuple[Array, ReluCache]:
    """Do what `minunet.layers.relu.relu_forward` does; same arguments, results and errors."""
    return quickest(relu, relu_kernels, x).relu_forward(x)


def relu_backward(dy: Array, cache: ReluCache) -> Array:
    """Do what `minunet.layers.relu.relu_backward` does; same arguments, results and errors."""
    return quickest(relu, relu_kernels, cache.y).relu_backward(dy, cache)


def max_pool_forward(x: Array) -> tuple[Array, MaxPoolCache]:
    """Do what `minunet.layers.pool.max_pool_forward` does; same arguments, results and errors."""
    return quickest(pool, pool_kernels, x).max_pool_forward(x)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """Do what `minunet.layers.pool.max_pool_backward` does; same arguments, results and errors."""
    return quickest(pool, pool_kernels, dy).max_pool_backward(dy, cache)


def crop_concat_forward(skip: Array, x: Array) -> tuple[Array, CropConcatCache]:
    """Do what `minunet.layers.crop_concat.crop_concat_forward` does; same arguments, results and errors."""
    return quickest(crop_concat, crop_concat_kernels, x).crop_concat_forward(skip, x)


def crop_concat_backward(dy: Array, cache: CropConcatCache) -> tuple[Array, Array]:
    """Do what `minunet.layers.crop_concat.crop_concat_backward` does; same arguments, results and errors."""
    return quickest(crop_concat, crop_concat_kernels, dy).crop_concat_backward(dy, cache)


def softmax_cross_entropy_forward(
    logits: Array, labels: Array, weights: Constant = None
) -> tuple[Array, SoftmaxCrossEntropyCache]:
    """Do what `minunet.layers.loss.softmax_cross_entropy_forward` does; same arguments, results and errors."""
    return quickest(loss, loss_kernels, logits).softmax_cross_entropy_forward(logits, labels, weights)


def softmax_cross_entropy_backward(dloss: Array, cache: SoftmaxCrossEntropyCache) -> Array:
    """Do what `minunet.layers.loss.softmax_cross_entropy_backward` does; same arguments, results and errors."""
    return quickest(loss, loss_kernels, cache.p).softmax_cross_entropy_backward(dloss, cache)


def quickest(readable, kernels, x: Array):
    """Return the module whose way is to be taken for an array such as `x`.

    Raises
    ------
    InputError
        If MINUNET_KERNELS is set, and not to one of WAYS.
    """
    way = os.environ.get("MINUNET_KERNELS", "auto")
    if way not in WAYS:
        raise InputError(f"MINUNET_KERNELS must be one of {', '.join(WAYS)}, got {way!r}; unset it for auto")
    if way == "readable" or array_module(x) is np:
        return readable
    return kernels if compiles(kernels.SOURCE, x) else readable
