"""Answers to the exercises of notebook 05."""

import numpy as np

from minunet.layers.crop_concat import crop_concat_backward
from minunet.layers.pool import max_pool_backward


def crop_by_negative_slices(skip, x):
    cut_h, cut_w = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
    return np.concatenate([skip[:, :, cut_h:-cut_h, cut_w:-cut_w], x], axis=1)


def crop_concat_gradients_as_views(dy, cache):
    dskip, _ = crop_concat_backward(dy, cache)
    return dskip, dy[:, cache.skip_shape[1] :]


def fork_in_place(dy, cache, dskip):
    dskip += max_pool_backward(dy, cache)
    return dskip


ANSWERS = [
    ("crop_concat_forward", crop_by_negative_slices, "the tiny case is right, but"),
    ("crop_concat_forward", lambda skip, x: np.concatenate([skip, x], axis=1), "it stops with ValueError"),
    ("crop_backward", lambda dy, shape: dy, "dskip has shape"),
    ("crop_concat_backward", crop_concat_gradients_as_views, "dx is right, but shares its memory with dy"),
    ("crop_concat_backward", lambda dy, cache: crop_concat_backward(dy, cache)[::-1], "has shape"),
    ("fork_backward", fork_in_place, "it changes its argument dskip"),
    ("fork_backward", lambda dy, cache, dskip: dskip, "the pool's gradient is missing"),
]
