import numpy as np

from minunet import up_conv_backward, up_conv_forward
from zoo.bug import Cage

normal = np.random.default_rng(13).standard_normal
square = normal((2, 3, 4, 5)), normal((3, 3, 2, 2)), normal(3)  # C = F: wrong orders keep their shapes
cage = Cage("up_conv", up_conv_forward, up_conv_backward, (normal((2, 3, 4, 5)), normal((3, 2, 2, 2)), normal(2)))


@cage.bug("wrong", "x")
def only_one_of_four_taps_collected(dy, cache):
    weight = cache.weight.copy()
    weight[:, :, 0, 1] = weight[:, :, 1, 0] = weight[:, :, 1, 1] = 0
    return up_conv_backward(dy, cache._replace(weight=weight))[0], *up_conv_backward(dy, cache)[1:]


@cage.bug("wrong", "x", args=square)
def weight_not_transposed_in_dx(dy, cache):
    dx, _, _ = up_conv_backward(dy, cache._replace(weight=cache.weight.transpose(1, 0, 2, 3)))
    return dx, *up_conv_backward(dy, cache)[1:]


@cage.bug("wrong", "x")
def rows_and_columns_of_the_kernel_swapped_in_dx(dy, cache):
    dx, _, _ = up_conv_backward(dy, cache._replace(weight=cache.weight.swapaxes(2, 3)))
    return dx, *up_conv_backward(dy, cache)[1:]


@cage.bug("wrong", "weight")
def rows_and_columns_of_dweight_swapped(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dx, dweight.swapaxes(2, 3), dbias


@cage.bug("wrong", "weight")
def one_tap_of_dweight_never_written(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    dweight[:, :, 1, 1] = 0
    return dx, dweight, dbias


@cage.bug("wrong", "weight")
def only_the_last_image_counts_in_dweight(dy, cache):
    dx, _, dbias = up_conv_backward(dy, cache)
    return dx, up_conv_backward(dy[-1:], cache._replace(x=cache.x[-1:]))[1], dbias


@cage.bug("wrong", "bias")
def dbias_from_one_corner_of_each_block(dy, cache):
    dx, dweight, _ = up_conv_backward(dy, cache)
    return dx, dweight, dy[:, :, ::2, ::2].sum(axis=(0, 2, 3))


@cage.bug("shape", "weight")
def dweight_in_the_order_of_a_convolution(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    return dx, dweight.transpose(1, 0, 2, 3), dbias


calls = []


@cage.bug("nondeterministic", "weight")
def dweight_accumulates_from_call_to_call(dy, cache):
    dx, dweight, dbias = up_conv_backward(dy, cache)
    calls.append(1)
    return dx, dweight * len(calls), dbias
