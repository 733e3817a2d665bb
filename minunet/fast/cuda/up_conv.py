"""Up-convolution as one matrix product, by cuBLAS and `up_conv.cu`; the readable layer is `minunet/layers/up_conv.py`.

Its four taps are four products of one and the same x, so they are one product with four times as many rows:

    forward     taps  (4F, HW) = weight' (4F, C) @ x (C, HW)        y from taps, and the bias
    backward    dtaps (4F, HW) from dy                              dx = weight @ dtaps        dweight = x @ dtaps'
"""

from minunet.backend import array_module
from minunet.fast.cuda.loader import contiguous, launch
from minunet.fast.cuda.products import product, sum_of_products
from minunet.fast.same_as import same_as
from minunet.layers import up_conv as readable
from minunet.layers.checks import check_gradient, check_up_conv
from minunet.layers.up_conv import UpConvCache

SOURCE = "up_conv"


@same_as(readable.up_conv_forward)
def up_conv_forward(x, weight, bias):
    check_up_conv(x, weight, bias)
    N, C, H, W = x.shape
    F = weight.shape[1]
    x, weight, bias = (contiguous(array, x.dtype) for array in (x, weight, bias))
    taps = product(weight.reshape(C, 4 * F).T, x.reshape(N, C, H * W))  # (4F, C) @ (N, C, HW) -> (N, 4F, HW)
    y = array_module(x).empty((N, F, 2 * H, 2 * W), x.dtype)
    launch(SOURCE, "interleave_taps", N * F * H * W, taps, bias, y, N * F * H * W, F, H, W)
    return y, UpConvCache(x, weight)


@same_as(readable.up_conv_backward)
def up_conv_backward(dy, cache):
    x, weight = cache
    N, C, H, W = x.shape
    F = weight.shape[1]
    check_gradient(dy, (N, F, 2 * H, 2 * W), x)
    x, weight, dy = (contiguous(array, x.dtype) for array in (x, weight, dy))
    dtaps = array_module(x).empty((N, 4 * F, H * W), x.dtype)
    launch(SOURCE, "separate_taps", N * F * H * W, dy, dtaps, N * F * H * W, H, W)
    dx = product(weight.reshape(C, 4 * F), dtaps)  # (C, 4F) @ (N, 4F, HW) -> (N, C, HW)
    dweight = sum_of_products(x.reshape(N, C, H * W), dtaps.transpose(0, 2, 1))  # (N, C, HW) @ (N, HW, 4F) -> (C, 4F)
    dbias = dy.sum(axis=(0, 2, 3))  # (F,)
    return dx.reshape(N, C, H, W), dweight.reshape(C, F, 2, 2), dbias
