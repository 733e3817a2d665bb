"""The other layers that the network uses: on a GPU by a CUDA kernel, on a CPU part by part, else the readable layer.

On CuPy arrays a readable layer is several passes over the memory, one for each operation; a kernel of
`minunet/fast/cuda` is one. On NumPy arrays most of a readable layer keeps one core busy; `minunet/fast/cpu/pool.py`,
`up_conv.py` and `crop_concat.py` give each core a part of it.
"""

from minunet.backend import Array, Constant
from minunet.fast.choose import choose
from minunet.fast.cpu import crop_concat as crop_concat_in_parts
from minunet.fast.cpu import pool as pool_in_parts
from minunet.fast.cpu import up_conv as up_conv_stacked
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.layers import crop_concat, loss, pool, relu, up_conv
from minunet.layers.crop_concat import CropConcatCache
from minunet.layers.loss import SoftmaxCrossEntropyCache
from minunet.layers.pool import MaxPoolCache
from minunet.layers.relu import ReluCache
from minunet.layers.up_conv import UpConvCache


def relu_forward(x: Array) -> tuple[Array, ReluCache]:
    """Do what `minunet.layers.relu.relu_forward` does; same arguments, results and errors."""
    return choose(relu, relu_kernels, x).relu_forward(x)


def relu_backward(dy: Array, cache: ReluCache) -> Array:
    """Do what `minunet.layers.relu.relu_backward` does; same arguments, results and errors."""
    return choose(relu, relu_kernels, cache.y).relu_backward(dy, cache)


def max_pool_forward(x: Array) -> tuple[Array, MaxPoolCache]:
    """Do what `minunet.layers.pool.max_pool_forward` does; same arguments, results and errors."""
    return choose(pool, pool_kernels, x, pool_in_parts).max_pool_forward(x)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """Do what `minunet.layers.pool.max_pool_backward` does; same arguments, results and errors."""
    return choose(pool, pool_kernels, dy, pool_in_parts).max_pool_backward(dy, cache)


def up_conv_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, UpConvCache]:
    """Do what `minunet.layers.up_conv.up_conv_forward` does; same arguments, results and errors."""
    return choose(up_conv, None, x, up_conv_stacked).up_conv_forward(x, weight, bias)


def up_conv_backward(dy: Array, cache: UpConvCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.up_conv.up_conv_backward` does; same arguments, results and errors."""
    return choose(up_conv, None, cache.x, up_conv_stacked).up_conv_backward(dy, cache)


def crop_concat_forward(skip: Array, x: Array) -> tuple[Array, CropConcatCache]:
    """Do what `minunet.layers.crop_concat.crop_concat_forward` does; same arguments, results and errors."""
    return choose(crop_concat, crop_concat_kernels, x, crop_concat_in_parts).crop_concat_forward(skip, x)


def crop_concat_backward(dy: Array, cache: CropConcatCache) -> tuple[Array, Array]:
    """Do what `minunet.layers.crop_concat.crop_concat_backward` does; same arguments, results and errors."""
    return choose(crop_concat, crop_concat_kernels, dy, crop_concat_in_parts).crop_concat_backward(dy, cache)


def softmax_cross_entropy_forward(
    logits: Array, labels: Array, weights: Constant = None
) -> tuple[Array, SoftmaxCrossEntropyCache]:
    """Do what `minunet.layers.loss.softmax_cross_entropy_forward` does; same arguments, results and errors."""
    return choose(loss, loss_kernels, logits).softmax_cross_entropy_forward(logits, labels, weights)


def softmax_cross_entropy_backward(dloss: Array, cache: SoftmaxCrossEntropyCache) -> Array:
    """Do what `minunet.layers.loss.softmax_cross_entropy_backward` does; same arguments, results and errors."""
    return choose(loss, loss_kernels, cache.p).softmax_cross_entropy_backward(dloss, cache)
