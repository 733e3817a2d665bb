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
]
