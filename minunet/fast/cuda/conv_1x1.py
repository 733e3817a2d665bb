"""A convolution with a 1x1 kernel: a matrix product over the channels, by cuBLAS.

forward     y (F, HW) = weight (F, C) @ x (C, HW) + bias
backward    dx = weight' @ dy        dweight = dy @ x'
"""

from minunet.fast.cuda.loader import contiguous
from minunet.fast.cuda.products import product, sum_of_products
from minunet.fast.same_as import same_as
from minunet.layers import conv as readable
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache


@same_as(readable.conv2d_forward)  # for a 1x1 kernel, as its backward pass
def conv2d_forward(x, weight, bias):
    check_conv2d(x, weight, bias)
    N, C, H, W = x.shape
    F = len(weight)
    x, weight = contiguous(x, x.dtype), contiguous(weight, x.dtype)
    y = product(weight.reshape(F, C), x.reshape(N, C, H * W))  # (F, C) @ (N, C, HW) -> (N, F, HW)
    y += bias[:, None]
    return y.reshape(N, F, H, W), Conv2dCache(x, weight)


@same_as(readable.conv2d_backward)
def conv2d_backward(dy, cache):
    x, weight = cache
    N, C, H, W = x.shape
    F = len(weight)
    check_gradient(dy, (N, F, H, W), x)
    x, weight, dy = (contiguous(array, x.dtype) for array in (x, weight, dy))
    flat = dy.reshape(N, F, H * W)
    dx = product(weight.reshape(F, C).T, flat)  # (C, F) @ (N, F, HW) -> (N, C, HW)
    dweight = sum_of_products(flat, x.reshape(N, C, H * W).transpose(0, 2, 1))  # (N, F, HW) @ (N, HW, C) -> (F, C)
    dbias = dy.sum(axis=(0, 2, 3))  # (F,)
    return dx.reshape(N, C, H, W), dweight.reshape(F, C, 1, 1), dbias
