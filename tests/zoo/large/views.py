"""Layers that move no number, and may return a view of their argument or the argument itself."""

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(43).standard_normal


def identity_forward(x):
    return x, None


def identity_backward(dy, cache):
    return dy


identity = Layer(
    "identity",
    identity_forward,
    identity_backward,
    (normal((3, 4)),),
    {
        "doubles": Wrong("x", scaled(identity_backward, 2)),
        "reverses the sign": Wrong("x", scaled(identity_backward, -1)),
        "scales dy in place": Wrong("dy", lambda dy, cache: np.multiply(dy, 2, out=dy), "mutated"),
    },
)


def transpose_forward(x):
    return x.transpose(0, 2, 3, 1), None


def transpose_backward(dy, cache):
    return dy.transpose(0, 3, 1, 2)


transpose = Layer(
    "channels last",
    transpose_forward,
    transpose_backward,
    (normal((2, 3, 3, 3)),),
    {
        "applies the order, not its inverse": Wrong("x", lambda dy, cache: dy.transpose(0, 2, 3, 1)),
        "reshapes": Wrong("x", lambda dy, cache: dy.reshape(2, 3, 3, 3)),
        "swaps height and width": Wrong("x", lambda dy, cache: dy.transpose(0, 3, 2, 1)),
    },
)


def flatten_forward(x):
    return x.reshape(len(x), -1), x.shape


def flatten_backward(dy, shape):
    return dy.reshape(shape)


flatten = Layer(
    "flatten",
    flatten_forward,
    flatten_backward,
    (normal((2, 3, 4)),),
    {
        "does not restore the shape": Wrong("x", lambda dy, shape: dy, "shape"),
        "reads columns first": Wrong("x", lambda dy, shape: dy.reshape(shape, order="F")),
        "reshapes to the transposed shape": Wrong("x", lambda dy, shape: dy.reshape(2, 4, 3).swapaxes(1, 2)),
    },
)


def crop_forward(x):
    return x[:, 1:-1, 2:-1], x.shape


def crop_backward(dy, shape, top=1, left=2):
    dx = np.zeros(shape)
    dx[:, top : top + dy.shape[1], left : left + dy.shape[2]] = dy
    return dx


crop = Layer(
    "crop",
    crop_forward,
    crop_backward,
    (normal((2, 4, 6)),),
    {
        "starts one row early": Wrong("x", lambda dy, shape: crop_backward(dy, shape, top=0), region=np.s_[:, :3]),
        "starts one column early": Wrong(
            "x", lambda dy, shape: crop_backward(dy, shape, left=1), region=np.s_[:, :, 1:5]
        ),
        "does not pad": Wrong("x", lambda dy, shape: dy.copy(), "shape"),
    },
)


def every_second_forward(x):
    return x[:, ::2], x.shape


def every_second_backward(dy, shape, start=0):
    dx = np.zeros(shape)
    dx[:, start : start + 2 * dy.shape[1] : 2] = dy
    return dx


every_second = Layer(
    "every second element",
    every_second_forward,
    every_second_backward,
    (normal((3, 6)),),
    {
        "starts at one": Wrong("x", lambda dy, shape: every_second_backward(dy, shape, start=1)),
        "repeats dy": Wrong("x", lambda dy, shape: dy.repeat(2, axis=1), region=np.s_[:, 1::2]),
        "fills the first half": Wrong("x", lambda dy, shape: np.pad(dy, ((0, 0), (0, 3)))),
    },
)


def broadcast_forward(x):
    return np.broadcast_to(x, (3, 2, 4)), None


def broadcast_backward(dy, cache):
    return dy.sum(axis=(0, 1), keepdims=True)[0]


broadcast = Layer(
    "broadcast",
    broadcast_forward,
    broadcast_backward,
    (normal((1, 4)),),
    {
        "takes one of the copies": Wrong("x", lambda dy, cache: dy[0, :1]),
        "averages the copies": Wrong("x", lambda dy, cache: dy.mean(axis=(0, 1), keepdims=True)[0]),
        "sums over the new axis alone": Wrong("x", lambda dy, cache: dy.sum(axis=0)[:1]),
        "returns the copies": Wrong("x", lambda dy, cache: dy.sum(axis=0), "shape"),
    },
)


def flip_forward(x):
    return x[:, ::-1], None


def flip_backward(dy, cache):
    return dy[:, ::-1]


flip = Layer(
    "flip",
    flip_forward,
    flip_backward,
    (normal((2, 3, 4)),),
    {
        "flips another axis": Wrong("x", lambda dy, cache: dy[:, :, ::-1]),
        "does not flip": Wrong("x", lambda dy, cache: dy.copy(), region=np.s_[:, ::2]),
    },
)

LAYERS = (identity, transpose, flatten, crop, every_second, broadcast, flip)
