import numpy as np

from minunet import conv2d_backward, conv2d_forward
from zoo.bug import Cage

normal = np.random.default_rng(10).standard_normal
x, weight, bias = normal((2, 3, 7, 6)), normal((4, 3, 3, 2)), normal(4)
square = normal((2, 3, 7, 6)), normal((3, 3, 3, 3)), normal(3)  # C = F and KH = KW: wrong orders keep their shapes
cage = Cage("conv2d", conv2d_forward, conv2d_backward, (x, weight, bias))


@cage.bug("wrong", "x")
def kernel_flipped_once_too_often_in_dx(dy, cache):
    dx, _, _ = conv2d_backward(dy, cache._replace(weight=cache.weight[:, :, ::-1, ::-1]))
    return dx, *conv2d_backward(dy, cache)[1:]


@cage.bug("wrong", "x", args=square)
def kernel_not_transposed_in_dx(dy, cache):
    dx, _, _ = conv2d_backward(dy, cache._replace(weight=cache.weight.transpose(1, 0, 2, 3)))
    return dx, *conv2d_backward(dy, cache)[1:]


@cage.bug("wrong", "x")
def last_tap_forgotten_in_dx(dy, cache):
    weight = cache.weight.copy()
    weight[:, :, -1, -1] = 0
    dx, _, _ = conv2d_backward(dy, cache._replace(weight=weight))
    return dx, *conv2d_backward(dy, cache)[1:]


@cage.bug("wrong", "x")
def taps_overwrite_each_other_in_dx(dy, cache):
    x, weight = cache
    OH, OW = dy.shape[2:]
    dx = np.zeros_like(x)
    for kh, kw in np.ndindex(weight.shape[2:]):
        dx[:, :, kh : kh + OH, kw : kw + OW] = np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)  # should be +=
    return dx, *conv2d_backward(dy, cache)[1:]


@cage.bug("wrong", "x")
def sign_of_dx(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return -dx, dweight, dbias


@cage.bug("wrong", "x")
def dx_shifted_by_one_column(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return np.roll(dx, 1, axis=-1), dweight, dbias


@cage.bug("wrong", "weight")
def dweight_flipped(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight[:, :, ::-1, ::-1], dbias


@cage.bug("wrong", "weight", args=square)
def channels_of_dweight_swapped(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight.transpose(1, 0, 2, 3), dbias


@cage.bug("wrong", "weight", args=square)
def height_and_width_of_dweight_swapped(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight.transpose(0, 1, 3, 2), dbias


@cage.bug("wrong", "weight")
def only_the_last_image_counts_in_dweight(dy, cache):
    dx, _, dbias = conv2d_backward(dy, cache)
    return dx, conv2d_backward(dy[-1:], cache._replace(x=cache.x[-1:]))[1], dbias


@cage.bug("wrong", "weight")
def dweight_is_a_mean_over_the_batch(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight / len(dy), dbias


@cage.bug("wrong", "weight")
def weight_decay_hidden_in_dweight(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight + 1e-3 * cache.weight, dbias


@cage.bug("wrong", "weight")
def one_element_of_dweight_off_by_a_thousandth(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    dweight[2, 1, 0, 1] *= 1.001
    return dx, dweight, dbias


@cage.bug("wrong", "bias")
def dbias_forgotten(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight, np.zeros_like(dbias)


@cage.bug("wrong", "bias")
def dbias_of_the_first_image_only(dy, cache):
    dx, dweight, _ = conv2d_backward(dy, cache)
    return dx, dweight, dy[0].sum(axis=(1, 2))


@cage.bug("wrong", "bias")
def dbias_is_a_mean(dy, cache):
    dx, dweight, _ = conv2d_backward(dy, cache)
    return dx, dweight, dy.mean(axis=(0, 2, 3))


@cage.bug("shape", "bias")
def dbias_keeps_its_axes(dy, cache):
    dx, dweight, _ = conv2d_backward(dy, cache)
    return dx, dweight, dy.sum(axis=(0, 2, 3), keepdims=True)


@cage.bug("shape", "bias")
def dbias_is_not_returned(dy, cache):
    return conv2d_backward(dy, cache)[:2]


@cage.bug("shape", "x")
def gradients_in_another_order(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dweight, dx, dbias


@cage.bug("nonfinite", "weight")
def dweight_divided_by_zero(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    dweight[0, 0, 0, 0] = np.nan
    return dx, dweight, dbias


@cage.bug("mutated", "dy")
def dy_scaled_in_place(dy, cache):
    dy *= 2
    return conv2d_backward(dy, cache)


@cage.bug("mutated", "cache.weight")
def cached_weight_flipped_in_place(dy, cache):
    gradients = conv2d_backward(dy, cache)
    cache.weight[...] = cache.weight[:, :, ::-1, ::-1].copy()
    return gradients


@cage.bug("precision", "weight")
def dweight_in_float32(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight.astype(np.float32), dbias


@cage.forward_bug("mutated", "x")
def x_centred_in_place(x, weight, bias):
    x -= x.mean()
    return conv2d_forward(x, weight, bias)


@cage.forward_bug("precision", "y")
def forward_in_float32(x, weight, bias):
    y, cache = conv2d_forward(*(array.astype(np.float32) for array in (x, weight, bias)))
    return y.astype(np.float64), cache


@cage.forward_bug("nondeterministic")
def noise_added(x, weight, bias):
    y, cache = conv2d_forward(x, weight, bias)
    return y + 1e-3 * np.random.default_rng().standard_normal(y.shape), cache
