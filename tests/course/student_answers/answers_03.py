"""Answers to the exercises of notebook 03."""

import numpy as np

from minunet.layers.pool import max_pool_backward
from student_answers.common import RIGHT


def relu_in_place(dy, cache):
    dy[cache.y <= 0] = 0
    return dy


def pool_by_reshape(x):
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
    return windows.max(axis=-1), windows.argmax(axis=-1)


def pool_from_zero(x):
    y, winner = pool_by_reshape(x)
    return np.maximum(y, 0), winner


def pool_pixel_by_pixel(dy, cache):
    dx = np.zeros((*dy.shape[:2], 2 * dy.shape[2], 2 * dy.shape[3]))
    for n, c, h, w in np.ndindex(dy.shape):
        i, j = divmod(int(cache.winner[n, c, h, w]), 2)
        dx[n, c, 2 * h + i, 2 * w + j] = dy[n, c, h, w]
    return dx


def pool_with_columns_first(dy, cache):
    return pool_pixel_by_pixel(dy, cache._replace(winner=cache.winner // 2 + cache.winner % 2 * 2))


def pool_of_the_mean(dy, cache):
    return np.kron(dy, np.ones((2, 2))) / 4


def pool_to_the_first_corner(dy, cache):
    return pool_pixel_by_pixel(dy, cache._replace(winner=0 * cache.winner))


ANSWERS = [
    ("relu_backward", lambda dy, cache: np.where(cache.y > 0, dy, 0), RIGHT),
    ("relu_backward", lambda dy, cache: dy * np.sign(cache.y), RIGHT),
    ("relu_backward", relu_in_place, "it changes its argument dy"),
    ("relu_backward", lambda dy, cache: dy * (cache.y >= 0), "every gate is open"),
    ("relu_backward", lambda dy, cache: dy * cache.y, "dx is dy where cache.y is positive"),
    ("relu_backward", lambda dy, cache: dy * np.minimum(cache.y, 1), "the tiny case is right, but"),
    ("max_pool_forward", pool_by_reshape, RIGHT),
    ("max_pool_forward", pool_from_zero, "y differs"),
    ("max_pool_forward", lambda x: pool_by_reshape(x)[::-1], "y differs"),
    ("max_pool_forward", lambda x: pool_by_reshape(x)[0], "returns one ndarray"),
    ("max_pool_backward", lambda dy, c: np.kron(dy, np.ones((2, 2))), "all four pixels"),
    ("max_pool_backward", lambda dy, cache: max_pool_backward(dy, cache), RIGHT),
    ("max_pool_backward", pool_pixel_by_pixel, RIGHT),
    ("max_pool_backward", pool_with_columns_first, "dx differs"),
    ("max_pool_backward", pool_of_the_mean, "dx differs"),
    ("max_pool_backward", pool_to_the_first_corner, "dx differs"),
    ("max_pool_backward", lambda dy, cache: dy, "dx has shape"),
]
