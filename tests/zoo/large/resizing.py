"""Layers that make an image larger: pixel shuffle, bilinear and nearest upsampling, reflection padding."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(47).standard_normal


def shuffle_forward(x):
    N, C, H, W = x.shape
    return x.reshape(N, C // 4, 2, 2, H, W).transpose(0, 1, 4, 2, 5, 3).reshape(N, C // 4, 2 * H, 2 * W), None


def shuffle_backward(dy, cache, order=(0, 1, 3, 5, 2, 4)):
    N, C, H, W = dy.shape
    return dy.reshape(N, C, H // 2, 2, W // 2, 2).transpose(order).reshape(N, 4 * C, H // 2, W // 2)


pixel_shuffle = Layer(
    "pixel shuffle",
    shuffle_forward,
    shuffle_backward,
    (normal((2, 4, 3, 2)),),
    {
        "swaps row and column of the offset": Wrong("x", partial(shuffle_backward, order=(0, 1, 5, 3, 2, 4))),
        "unrolls the channels last": Wrong("x", lambda dy, cache: dy.reshape(2, 4, 3, 2)),
    },
)


def interpolation(size):
    """Return the matrix that doubles a signal linearly, its pixels taken for areas; the border is clamped."""
    matrix = np.zeros((2 * size, size))
    for i in range(2 * size):
        place = np.clip((i + 0.5) / 2 - 0.5, 0, size - 1)
        left = min(int(place), size - 2)
        matrix[i, left : left + 2] = left + 1 - place, place - left
    return matrix


def bilinear_forward(x):
    return interpolation(x.shape[2]) @ x @ interpolation(x.shape[3]).T, x.shape


def bilinear_backward(dy, shape):
    return interpolation(shape[2]).T @ dy @ interpolation(shape[3])


def bilinear_as_nearest(dy, shape):
    return dy.reshape(*shape[:3], 2, shape[3], 2).sum(axis=(3, 5))


def bilinear_without_the_border(dy, shape):
    inner = np.pad(np.ones((2 * shape[2] - 2, 2 * shape[3] - 2)), 1)
    return bilinear_backward(dy * inner, shape)


bilinear = Layer(
    "bilinear upsampling",
    bilinear_forward,
    bilinear_backward,
    (normal((2, 2, 3, 4)),),
    {
        "goes to the nearest pixel alone": Wrong("x", bilinear_as_nearest),
        "forgets the border": Wrong("x", bilinear_without_the_border),
        "averages": Wrong("x", scaled(bilinear_backward, 1 / 4)),
    },
)


def nearest_forward(x):
    return x.repeat(2, axis=2).repeat(3, axis=3), x.shape


def nearest_backward(dy, shape):
    return dy.reshape(*shape[:3], 2, shape[3], 3).sum(axis=(3, 5))


nearest = Layer(
    "nearest upsampling",
    nearest_forward,
    nearest_backward,
    (normal((2, 2, 3, 2)),),
    {
        "takes one of each block": Wrong("x", lambda dy, shape: dy[:, :, ::2, ::3]),
        "averages each block": Wrong("x", scaled(nearest_backward, 1 / 6)),
        "cuts blocks the other way round": Wrong(
            "x", lambda dy, s: dy.reshape(*s[:2], 2, s[2], 3, s[3]).sum(axis=(2, 4))
        ),
    },
)


def reflect_forward(x):
    return np.pad(x, ((0, 0), (2, 1)), mode="reflect"), None


def reflect_backward(dy, cache):
    dx = dy[:, 2:-1].copy()
    dx[:, [2, 1]] += dy[:, :2]
    dx[:, -2] += dy[:, -1]
    return dx


def reflect_as_replicate(dy, cache):
    dx = dy[:, 2:-1].copy()
    dx[:, 0] += dy[:, :2].sum(axis=1)
    dx[:, -1] += dy[:, -1]
    return dx


def reflect_read_backwards(dy, cache):
    return reflect_backward(np.concatenate([dy[:, 1::-1], dy[:, 2:]], axis=1), cache)


reflect = Layer(
    "reflection padding",
    reflect_forward,
    reflect_backward,
    (normal((2, 5)),),
    {
        "crops alone": Wrong("x", lambda dy, cache: dy[:, 2:-1], region=np.s_[:, 1:4]),
        "adds the border to the edge": Wrong("x", reflect_as_replicate),
        "reads the border backwards": Wrong("x", reflect_read_backwards, region=np.s_[:, 1:3]),
    },
)

LAYERS = (pixel_shuffle, bilinear, nearest, reflect)
