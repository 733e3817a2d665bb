import numpy as np

from minunet import crop_concat_backward, crop_concat_forward
from zoo.bug import Cage

normal = np.random.default_rng(14).standard_normal
same_channels = normal((2, 3, 8, 9)), normal((2, 3, 4, 5))
same_shape = normal((2, 3, 4, 5)), normal((2, 3, 4, 5))
cage = Cage("crop_concat", crop_concat_forward, crop_concat_backward, (normal((2, 3, 8, 9)), normal((2, 2, 4, 5))))


@cage.bug("wrong", "skip")
def skip_gradient_dropped(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return np.zeros_like(dskip), dx


@cage.bug("wrong", "skip")
def crop_off_by_one(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return np.roll(dskip, 1, axis=2), dx


@cage.bug("wrong", "skip")
def crop_at_the_corner(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return np.roll(dskip, (-2, -2), axis=(2, 3)), dx


@cage.bug("wrong", args=same_channels)
def channels_read_in_the_other_order(dy, cache):
    return crop_concat_backward(np.roll(dy, 3, axis=1), cache)


@cage.bug("wrong", "x")
def dx_takes_one_channel_too_early(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return dskip, dy[:, 2:4].copy()


@cage.bug("shape", "skip")
def dskip_stays_cropped(dy, cache):
    return dy[:, :3].copy(), dy[:, 3:].copy()


@cage.bug("shape", "skip")
def gradients_in_another_order(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return dx, dskip


@cage.bug("shape", args=same_shape)
def gradients_of_one_shape_in_another_order(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return dx, dskip
