"""Pooling: average with overlap, global, adaptive, and maximum with overlap."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(35).standard_normal


def average_forward(x, size=3, stride=2):
    """Average windows that overlap by one pixel."""
    OH, OW = ((n - size) // stride + 1 for n in x.shape[2:])
    y = np.zeros((*x.shape[:2], OH, OW))
    for i, j in np.ndindex(OH, OW):
        y[:, :, i, j] = x[:, :, stride * i : stride * i + size, stride * j : stride * j + size].mean(axis=(2, 3))
    return y, x.shape


def average_backward(dy, shape, size=3, stride=2, accumulate=1):
    dx = np.zeros(shape)
    for i, j in np.ndindex(*dy.shape[2:]):
        patch = dx[:, :, stride * i : stride * i + size, stride * j : stride * j + size]
        patch[...] = accumulate * patch + dy[:, :, i, j, None, None] / size**2
    return dx


average = Layer(
    "average pooling",
    average_forward,
    average_backward,
    (normal((2, 2, 7, 5)),),
    {
        "overwrites where windows overlap": Wrong("x", partial(average_backward, accumulate=0)),
        "does not divide": Wrong("x", scaled(average_backward, 9)),
        "divides by one side of the window": Wrong("x", scaled(average_backward, 3)),
        "places windows side by side": Wrong("x", partial(average_backward, stride=1)),
    },
)


def global_average_forward(x):
    return x.mean(axis=(2, 3)), x.shape


def global_average_backward(dy, shape):
    return np.broadcast_to(dy[:, :, None, None], shape) / (shape[2] * shape[3])


global_average = Layer(
    "global average pooling",
    global_average_forward,
    global_average_backward,
    (normal((2, 3, 4, 3)),),
    {
        "does not divide": Wrong("x", lambda dy, shape: np.broadcast_to(dy[:, :, None, None], shape)),
        "divides by the batch too": Wrong("x", scaled(global_average_backward, 1 / 2)),
        "averages over the channels": Wrong(
            "x", lambda dy, shape: global_average_backward(np.broadcast_to(dy.mean(1, keepdims=True), dy.shape), shape)
        ),
    },
)


def windows(size, count):
    """Return the adaptive windows, which differ in width by one and may overlap."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def adaptive_forward(x, count=3):
    return np.stack([x[:, :, window].mean(axis=2) for window in windows(x.shape[2], count)], axis=2), x.shape


def adaptive_backward(dy, shape, width=None, longer=0):
    dx = np.zeros(shape)
    for i, window in enumerate(windows(shape[2], dy.shape[2])):
        window = slice(window.start, window.stop + longer)
        dx[:, :, window] += dy[:, :, i, None] / (width or window.stop - window.start)
    return dx


adaptive = Layer(
    "adaptive average pooling",
    adaptive_forward,
    adaptive_backward,
    (normal((2, 2, 8)),),
    {
        "divides by the same width everywhere": Wrong("x", partial(adaptive_backward, width=8 / 3)),
        "ends windows one element early": Wrong("x", partial(adaptive_backward, longer=-1)),
        "drops the last window": Wrong(
            "x", lambda dy, shape: adaptive_backward(dy * (np.arange(3) < 2), shape), region=np.s_[:, :, 5:]
        ),
    },
)


def max_pool_forward(x, size=3, stride=2):
    """Take the largest of windows that overlap, so that one pixel can win twice."""
    OH, OW = ((n - size) // stride + 1 for n in x.shape[2:])
    y, winner = np.zeros((*x.shape[:2], OH, OW)), np.zeros((*x.shape[:2], OH, OW), int)
    for i, j in np.ndindex(OH, OW):
        patch = x[:, :, stride * i : stride * i + size, stride * j : stride * j + size].reshape(*x.shape[:2], -1)
        y[:, :, i, j], winner[:, :, i, j] = patch.max(axis=-1), patch.argmax(axis=-1)
    return y, (winner, x.shape)


def max_pool_backward(dy, cache, size=3, stride=2, accumulate=True, by_columns=False):
    winner, shape = cache
    n, c, i, j = np.indices(dy.shape)
    row, column = winner // size, winner % size
    row, column = (column, row) if by_columns else (row, column)
    where = n, c, stride * i + row, stride * j + column
    dx = np.zeros(shape)
    if accumulate:
        np.add.at(dx, where, dy)
    else:
        dx[where] = dy
    return dx


spiky = 0.3 * np.random.default_rng(36).permutation(2 * 2 * 7 * 5).reshape(2, 2, 7, 5)
spiky[:, :, 2, 2] += 50  # the corner where four windows meet wins them all
wins = max_pool_backward(np.ones((2, 2, 3, 2)), max_pool_forward(spiky)[1])
max_pool = Layer(
    "overlapping max-pool",
    max_pool_forward,
    max_pool_backward,
    (spiky,),
    {
        "overwrites a pixel that wins twice": Wrong("x", partial(max_pool_backward, accumulate=False), region=wins > 1),
        "swaps the winner's row and column": Wrong("x", partial(max_pool_backward, by_columns=True)),
        "places windows side by side": Wrong("x", partial(max_pool_backward, stride=1)),
    },
)

LAYERS = (average, global_average, adaptive, max_pool)
