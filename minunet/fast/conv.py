"""The convolution that the network uses, alone and with what follows it; `plan.py` decides how.

A ReLU is done where the bias is added: there y is still in the CPU's cache, or in a register of the GPU, and the ReLU
costs next to nothing. A batch normalisation must wait for all of y; it is done together with its ReLU.
"""

import numpy as np

from minunet.backend import array_module
from minunet.fast.choose import choose
from minunet.fast.cpu import batch_norm as norm_on_cpu
from minunet.fast.cpu import conv as on_cpu
from minunet.fast.cuda import batch_norm as norm_kernels
from minunet.fast.cuda import conv as kernels
from minunet.fast.cuda import conv_1x1 as kernels_1x1
from minunet.fast.cuda import conv_tf32 as kernels_tf32
from minunet.fast.environment import convolution_choice
from minunet.fast.plan import plan
from minunet.fast.same_as import same_as
from minunet.layers import conv as readable
from minunet.layers import conv_norm_relu as readable_with_norm
from minunet.layers import conv_relu as readable_with_relu
from minunet.layers.batch_norm import EPSILON, BatchNormCache
from minunet.layers.cache_checks import check_cache, check_tuple_of_caches
from minunet.layers.checks import check_batch_norm, check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache
from minunet.layers.conv_norm_relu import no_bias
from minunet.layers.relu import ReluCache

ON_GPU = {"cuda": kernels, "cuda_tf32": kernels_tf32, "cuda_1x1": kernels_1x1}  # by `Plan.way`


@same_as(readable.conv2d_forward)
def conv2d_forward(x, weight, bias):
    check_conv2d(x, weight, bias)
    chosen = plan(x, weight, backward=False)
    if chosen.way == "readable":
        return readable.conv2d_forward(x, weight, bias)
    if chosen.way in ON_GPU:
        return ON_GPU[chosen.way].conv2d_forward(x, weight, bias)
    return on_cpu.forward(chosen, x, weight, bias, with_relu=False), Conv2dCache(x, weight)


@same_as(readable.conv2d_backward)
def conv2d_backward(dy, cache):
    check_cache(cache, Conv2dCache)
    x, weight = cache
    check_gradient(dy, _output_shape(x, weight), x)
    chosen = plan(x, weight, backward=True)
    if chosen.way == "readable":
        return readable.conv2d_backward(dy, cache)
    if chosen.way in ON_GPU:
        return ON_GPU[chosen.way].conv2d_backward(dy, cache)
    return on_cpu.backward(chosen, dy.astype(x.dtype, copy=False), None, x, weight, with_dx=True)


@same_as(readable_with_relu.conv2d_relu_forward)
def conv2d_relu_forward(x, weight, bias):
    check_conv2d(x, weight, bias)
    chosen = plan(x, weight, backward=False)
    if chosen.way in ("readable", "cuda_1x1"):
        return readable_with_relu.conv2d_relu_forward(x, weight, bias)
    if chosen.way in ON_GPU:
        return ON_GPU[chosen.way].conv2d_relu_forward(x, weight, bias)
    y = on_cpu.forward(chosen, x, weight, bias, with_relu=True)
    return y, (Conv2dCache(x, weight), ReluCache(y))


@same_as(readable_with_relu.conv2d_relu_backward)
def conv2d_relu_backward(dy, cache, with_dx=True):
    check_tuple_of_caches(cache, Conv2dCache, ReluCache)
    conv_cache, relu_cache = cache
    x, weight = conv_cache
    check_gradient(dy, _output_shape(x, weight), x)
    chosen = plan(x, weight, backward=True)
    if chosen.way in ("readable", "cuda_1x1"):
        return readable_with_relu.conv2d_relu_backward(dy, cache, with_dx)
    if chosen.way in ON_GPU:
        return ON_GPU[chosen.way].conv2d_relu_backward(dy, cache, with_dx)
    return on_cpu.backward(chosen, dy.astype(x.dtype, copy=False), relu_cache.y, x, weight, with_dx)


@same_as(readable_with_norm.conv2d_norm_relu_forward)
def conv2d_norm_relu_forward(x, weight, gamma, beta, epsilon=EPSILON):
    y, conv_cache = conv2d_forward(x, weight, no_bias(weight))
    if _is_by_rows(x):
        check_batch_norm(y, gamma, beta, epsilon)
        y, norm_cache = norm_on_cpu.norm_relu_forward(y, gamma, beta, epsilon)
        return y, (conv_cache, norm_cache, ReluCache(y))
    norm = choose(readable_with_norm, y, kernels=norm_kernels)
    y, (norm_cache, relu_cache) = norm.norm_relu_forward(y, gamma, beta, epsilon)
    return y, (conv_cache, norm_cache, relu_cache)


@same_as(readable_with_norm.conv2d_norm_relu_backward)
def conv2d_norm_relu_backward(dy, cache, with_dx=True):
    check_tuple_of_caches(cache, Conv2dCache, BatchNormCache, ReluCache)
    conv_cache, norm_cache, relu_cache = cache
    x, weight = conv_cache
    check_gradient(dy, _output_shape(x, weight), x)
    if _is_by_rows(x):
        dy = dy.astype(x.dtype, copy=False)
        dy, dgamma, dbeta = norm_on_cpu.norm_relu_backward(dy, relu_cache.y, norm_cache)
        chosen = plan(x, weight, backward=True)
        dx, dweight, _ = on_cpu.backward(chosen, dy, None, x, weight, with_dx)
        return dx, dweight, dgamma, dbeta
    norm = choose(readable_with_norm, x, kernels=norm_kernels)
    dy, dgamma, dbeta = norm.norm_relu_backward(dy, (norm_cache, relu_cache))
    chosen = plan(x, weight, backward=True)
    if chosen.way in ("cuda", "cuda_tf32"):
        dx, dweight, _ = ON_GPU[chosen.way].backward(dy, conv_cache, None, with_dx)
    else:
        dx, dweight, _ = conv2d_backward(dy, conv_cache)
    return dx if with_dx else None, dweight, dgamma, dbeta


def _is_by_rows(x):
    """Return whether the convolution of x returns an array that lies by rows; see `minunet/fast/cpu/by_rows.py`."""
    return array_module(x) is np and convolution_choice() != "readable"


def _output_shape(x, weight):
    """Return the shape of y, (N, F, OH, OW)."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    return N, F, H - KH + 1, W - KW + 1
