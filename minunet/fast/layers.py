"""Every layer that the network uses, in the quickest way: the names of `minunet.layers`, with the same results.

On a GPU a readable layer is one kernel for each of its operations, and each reads and writes the memory once; a
kernel of `minunet/fast/cuda` does all operations in one pass. On a CPU most of a readable layer runs on one core; the
layers of `minunet/fast/cpu` give each core a part of the work.
"""

from minunet.fast.choose import choose
from minunet.fast.conv import (  # noqa: F401
    conv2d_backward,
    conv2d_forward,
    conv2d_norm_relu_backward,
    conv2d_norm_relu_forward,
    conv2d_relu_backward,
    conv2d_relu_forward,
)
from minunet.fast.cpu import crop_concat as crop_concat_on_cpu
from minunet.fast.cpu import loss as loss_on_cpu
from minunet.fast.cpu import pool as pool_on_cpu
from minunet.fast.cpu import up_conv as up_conv_on_cpu
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.fast.cuda import up_conv as up_conv_kernels
from minunet.fast.same_as import same_as
from minunet.layers import (
    CropConcatCache,
    MaxPoolCache,
    ReluCache,
    SoftmaxCrossEntropyCache,
    UpConvCache,
    crop_concat,
    loss,
    pool,
    relu,
    up_conv,
)
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_dloss
from minunet.layers.dropout import dropout_backward, dropout_forward  # noqa: F401 - it has no faster way


@same_as(relu.relu_forward)
def relu_forward(x):
    return choose(relu, x, kernels=relu_kernels).relu_forward(x)


@same_as(relu.relu_backward)
def relu_backward(dy, cache):
    check_cache(cache, ReluCache)
    return choose(relu, cache.y, kernels=relu_kernels).relu_backward(dy, cache)


@same_as(pool.max_pool_forward)
def max_pool_forward(x):
    return choose(pool, x, kernels=pool_kernels, on_cpu=pool_on_cpu).max_pool_forward(x)


@same_as(pool.max_pool_backward)
def max_pool_backward(dy, cache):
    check_cache(cache, MaxPoolCache)
    return choose(pool, dy, kernels=pool_kernels, on_cpu=pool_on_cpu).max_pool_backward(dy, cache)


@same_as(up_conv.up_conv_forward)
def up_conv_forward(x, weight, bias):
    return choose(up_conv, x, kernels=up_conv_kernels, on_cpu=up_conv_on_cpu).up_conv_forward(x, weight, bias)


@same_as(up_conv.up_conv_backward)
def up_conv_backward(dy, cache):
    check_cache(cache, UpConvCache)
    return choose(up_conv, cache.x, kernels=up_conv_kernels, on_cpu=up_conv_on_cpu).up_conv_backward(dy, cache)


@same_as(crop_concat.crop_concat_forward)
def crop_concat_forward(skip, x):
    module = choose(crop_concat, x, kernels=crop_concat_kernels, on_cpu=crop_concat_on_cpu)
    return module.crop_concat_forward(skip, x)


@same_as(crop_concat.crop_concat_backward)
def crop_concat_backward(dy, cache):
    check_cache(cache, CropConcatCache)
    module = choose(crop_concat, dy, kernels=crop_concat_kernels, on_cpu=crop_concat_on_cpu)
    return module.crop_concat_backward(dy, cache)


@same_as(loss.softmax_cross_entropy_forward)
def softmax_cross_entropy_forward(logits, labels, weights=None):
    module = choose(loss, logits, kernels=loss_kernels, on_cpu=loss_on_cpu)
    return module.softmax_cross_entropy_forward(logits, labels, weights)


@same_as(loss.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(dloss, cache):
    check_cache(cache, SoftmaxCrossEntropyCache)
    check_dloss(dloss, cache.p)
    return choose(loss, cache.p, kernels=loss_kernels, on_cpu=loss_on_cpu).softmax_cross_entropy_backward(dloss, cache)
