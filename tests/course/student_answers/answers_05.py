"""Answers to the exercises of notebook 05."""

import numpy as np

from minunet.layers.crop_concat import crop_concat_backward
from minunet.layers.pool import max_pool_backward
from student_answers.common import RIGHT


def crop_by_negative_slices(skip, x):
    cut_h, cut_w = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
    return np.concatenate([skip[:, :, cut_h:-cut_h, cut_w:-cut_w], x], axis=1)


def crop_concat_gradients_as_views(dy, cache):
    dskip, _ = crop_concat_backward(dy, cache)
    return dskip, dy[:, cache.skip_shape[1] :]


def fork_in_place(dy, cache, dskip):
    dskip += max_pool_backward(dy, cache)
    return dskip


def crop_concat_by_a_loop(skip, x):
    N, C, H, W = x.shape
    top, left = (skip.shape[2] - H) // 2, (skip.shape[3] - W) // 2
    channels = [skip[:, s, top : top + H, left : left + W] for s in range(skip.shape[1])]
    return np.stack([*channels, *(x[:, c] for c in range(C))], axis=1)


def crop_concat_x_first(skip, x):
    return np.roll(crop_concat_by_a_loop(skip, x), x.shape[1], axis=1)


def crop_concat_at_the_corner(skip, x):
    return np.concatenate([skip[:, :, : x.shape[2], : x.shape[3]], x], axis=1)


def crop_concat_rounded_up(skip, x):
    cut_h, cut_w = (skip.shape[2] - x.shape[2] + 1) // 2, (skip.shape[3] - x.shape[3] + 1) // 2
    return np.concatenate([skip[:, :, cut_h:, cut_w:][:, :, : x.shape[2], : x.shape[3]], x], axis=1)


def crop_gradient_padded(dy, skip_shape):
    around = [(0, 0), (0, 0)]
    for size, large in zip(dy.shape[2:], skip_shape[2:], strict=True):
        before = (large - size) // 2
        around.append((before, large - size - before))
    return np.pad(dy, around)


def crop_gradient_repeated(dy, skip_shape):
    return np.pad(dy, [(0, large - size) for size, large in zip(dy.shape, skip_shape, strict=True)], mode="edge")


def crop_gradient_at_the_corner(dy, skip_shape):
    dskip = np.zeros(skip_shape)
    dskip[:, :, : dy.shape[2], : dy.shape[3]] = dy
    return dskip


def crop_gradient_of_whole_numbers(dy, skip_shape):
    dskip = np.zeros(skip_shape, int)
    inner = crop_gradient_padded(np.ones(dy.shape), skip_shape) > 0
    dskip[inner] = dy.ravel()
    return dskip


def crop_concat_gradients_padded(dy, cache):
    S = cache.skip_shape[1]
    return [crop_gradient_padded(dy[:, :S], cache.skip_shape).tolist(), dy[:, S:].tolist()]


def crop_concat_gradients_split_in_the_middle(dy, cache):
    half = dy.shape[1] // 2
    return crop_gradient_padded(dy[:, :half], cache.skip_shape), dy[:, half:].copy()


def crop_concat_gradients_of_one_skip_channel(dy, cache):
    dskip, dx = np.zeros(cache.skip_shape), dy[:, -cache.x_shape[1] :].copy()
    dskip[:, :1] = crop_gradient_padded(dy[:, :1], (1, 1, *cache.skip_shape[2:]))
    return dskip, dx


def fork_by_a_loop(dy, cache, dskip):
    dx = dskip.copy()
    for n, c, h, w in np.ndindex(dy.shape):
        i, j = divmod(int(cache.winner[n, c, h, w]), 2)
        dx[n, c, 2 * h + i, 2 * w + j] += dy[n, c, h, w]
    return dx


def fork_of_the_larger(dy, cache, dskip):
    pooled = max_pool_backward(dy, cache)
    return np.where(np.abs(pooled) > np.abs(dskip), pooled, dskip)


def fork_as_a_mean(dy, cache, dskip):
    return (max_pool_backward(dy, cache) + dskip) / 2


def fork_as_a_product(dy, cache, dskip):
    return max_pool_backward(dy, cache) * dskip


ANSWERS = [
    ("crop_concat_forward", crop_by_negative_slices, "the tiny case is right, but"),
    ("crop_concat_forward", lambda skip, x: np.concatenate([skip, x], axis=1), "it stops with ValueError"),
    ("crop_backward", lambda dy, shape: dy, "dskip has shape"),
    ("crop_concat_backward", crop_concat_gradients_as_views, "dx is right, but shares its memory with dy"),
    ("crop_concat_backward", lambda dy, cache: crop_concat_backward(dy, cache)[::-1], "has shape"),
    ("fork_backward", fork_in_place, "it changes its argument dskip"),
    ("fork_backward", lambda dy, cache, dskip: dskip, "the pool's gradient is missing"),
    ("crop_concat_forward", crop_concat_by_a_loop, RIGHT),
    ("crop_concat_forward", crop_concat_x_first, "y differs"),
    ("crop_concat_forward", crop_concat_at_the_corner, "y differs"),
    ("crop_concat_forward", crop_concat_rounded_up, "y differs"),
    ("crop_backward", crop_gradient_padded, RIGHT),
    ("crop_backward", crop_gradient_at_the_corner, "dskip differs"),
    ("crop_backward", crop_gradient_repeated, "dskip differs"),
    ("crop_backward", crop_gradient_of_whole_numbers, "cut off to whole numbers"),
    ("crop_concat_backward", crop_concat_gradients_padded, RIGHT),
    ("crop_concat_backward", crop_concat_gradients_split_in_the_middle, "the tiny case is right, but"),
    ("crop_concat_backward", crop_concat_gradients_of_one_skip_channel, "the tiny case is right, but"),
    ("fork_backward", fork_by_a_loop, RIGHT),
    ("fork_backward", fork_of_the_larger, "dx differs"),
    ("fork_backward", fork_as_a_mean, "dx differs"),
    ("fork_backward", fork_as_a_product, "dx differs"),
]
