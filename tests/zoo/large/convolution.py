"""Strided, padded, dilated, grouped, depthwise, 1-D and 3-D convolution, all from one pair for any number of axes."""

from functools import partial
from typing import NamedTuple

import numpy as np

from zoo.large.layer import Layer, Wrong, changed, scaled

normal = np.random.default_rng(34).standard_normal


class Geometry(NamedTuple):
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1


class Cache(NamedTuple):
    x: np.ndarray  # padded, (N, groups, C / groups, ...)
    weight: np.ndarray  # (groups, F / groups, C / groups, ...)
    geometry: Geometry


def window(tap, output_shape, geometry):
    """Return the slices of the padded x that one tap of the kernel meets."""
    s, d = geometry.stride, geometry.dilation
    return tuple(slice(k * d, k * d + s * (size - 1) + 1, s) for k, size in zip(tap, output_shape, strict=True))


def conv_forward(x, weight, bias, *, geometry):
    N, _, *sizes = x.shape
    F, C, *taps = weight.shape
    s, p, d, G = geometry
    out = [(size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k in zip(sizes, taps, strict=True)]
    x = np.pad(x, [(0, 0), (0, 0)] + [(p, p)] * len(sizes))
    x, weight = x.reshape(N, G, C, *x.shape[2:]), weight.reshape(G, F // G, C, *taps)
    y = np.zeros((N, G, F // G, *out))
    for tap in np.ndindex(*taps):
        y += np.einsum("ngc...,gfc->ngf...", x[(..., *window(tap, out, geometry))], weight[(..., *tap)])
    return y.reshape(N, F, *out) + bias.reshape(-1, *[1] * len(out)), Cache(x, weight, geometry)


def conv_backward(dy, cache, accumulate=True):
    x, weight, geometry = cache
    N, F, *out = dy.shape
    G, C, p = x.shape[1], x.shape[2], geometry.padding
    dy = dy.reshape(N, G, F // G, *out)
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for tap in np.ndindex(*weight.shape[3:]):
        here = (..., *window(tap, out, geometry))
        dweight[(..., *tap)] = np.einsum("ngfp,ngcp->gfc", dy.reshape(N, G, F // G, -1), x[here].reshape(N, G, C, -1))
        share = np.einsum("gfc,ngf...->ngc...", weight[(..., *tap)], dy)
        dx[here] = dx[here] + share if accumulate else share
    inner = tuple(slice(p, size - p) for size in x.shape[3:])
    dx = dx[(..., *inner)].reshape(N, G * C, *(size - 2 * p for size in x.shape[3:]))
    return dx, dweight.reshape(F, C, *weight.shape[3:]), dy.sum(axis=(0, *range(3, dy.ndim))).reshape(F)


def partly(position, **mistake):
    """Return conv_backward with one gradient that takes the geometry for another."""

    def wrong(dy, cache):
        gradients = list(conv_backward(dy, cache))
        gradients[position] = conv_backward(dy, cache._replace(geometry=cache.geometry._replace(**mistake)))[position]
        return tuple(gradients)

    return wrong


def conv(name, x, weight, bugs, **geometry):
    forward = partial(conv_forward, geometry=Geometry(**geometry))
    return Layer(name, forward, conv_backward, (normal(x), normal(weight), normal(weight[0])), bugs)


def cropped_too_early(dy, cache):
    dx, dweight, dbias = conv_backward(dy, cache)
    return np.concatenate([np.zeros_like(dx[:, :, :1]), dx[:, :, :-1]], axis=2), dweight, dbias


def bordered_by_the_edge(dy, cache):
    x = np.pad(cache.x[..., 1:-1, 1:-1], [(0, 0)] * 3 + [(1, 1)] * 2, mode="edge")
    dx, _, dbias = conv_backward(dy, cache)
    return dx, conv_backward(dy, cache._replace(x=x))[1], dbias


def first_group_for_all(dy, cache):
    weight = np.broadcast_to(cache.weight[:1], cache.weight.shape)
    return conv_backward(dy, cache._replace(weight=weight))[0], *conv_backward(dy, cache)[1:]


def groups_interleaved(dy, cache):
    dx, dweight, dbias = conv_backward(dy, cache)
    return dx.reshape(2, 2, 2, -1).swapaxes(1, 2).reshape(dx.shape), dweight, dbias


off_centre = np.pad([[False]], 1, constant_values=True)
strided = conv(
    "strided convolution",
    (2, 2, 5, 3),
    (3, 2, 3, 2),
    {
        "forgets the stride in dx": Wrong("x", partly(0, stride=1)),
        "forgets the stride in dweight": Wrong("weight", partly(1, stride=1)),
        "overwrites where taps meet": Wrong("x", partial(conv_backward, accumulate=False)),
    },
    stride=2,
)
padded = conv(
    "padded convolution",
    (2, 2, 4, 3),
    (2, 2, 3, 3),
    {
        "crops one row too early": Wrong("x", cropped_too_early),
        "takes the border for the nearest pixel": Wrong("weight", bordered_by_the_edge, region=np.s_[..., off_centre]),
        "averages dbias over the pixels": Wrong("bias", scaled(conv_backward, 1 / 12, 2)),
    },
    padding=1,
)
dilated = conv(
    "dilated convolution",
    (2, 1, 6, 4),
    (2, 1, 3, 2),
    {
        "forgets the dilation in dx": Wrong("x", partly(0, dilation=1)),
        "forgets the dilation in dweight": Wrong("weight", partly(1, dilation=1)),
        "swaps the kernel's ends in dweight": Wrong("weight", changed(conv_backward, lambda d: d[:, :, ::-1], 1)),
    },
    dilation=2,
)
grouped = conv(
    "grouped convolution",
    (2, 4, 3, 4),
    (4, 2, 2, 2),
    {
        "takes the first group's weight for all": Wrong("x", first_group_for_all, region=np.s_[:, 2:]),
        "interleaves the groups": Wrong("x", groups_interleaved),
        "rolls dweight by a group": Wrong("weight", changed(conv_backward, lambda d: np.roll(d, 2, axis=0), 1)),
    },
    groups=2,
)
depthwise = conv(
    "depthwise convolution",
    (2, 3, 4, 3),
    (3, 1, 2, 2),
    {
        "sums dx over the channels": Wrong(
            "x", changed(conv_backward, lambda d: d.sum(1, keepdims=True).repeat(3, 1), 0)
        ),
        "flips the kernel in dweight": Wrong("weight", changed(conv_backward, lambda d: d[..., ::-1, ::-1], 1)),
        "keeps the last image of the batch": Wrong(
            "bias", lambda dy, c: (*conv_backward(dy, c)[:2], dy[-1].sum(axis=(1, 2)))
        ),
    },
    groups=3,
)
conv1d = conv(
    "1-D convolution",
    (2, 3, 8),
    (2, 3, 3),
    {
        "shifts dx by one": Wrong("x", changed(conv_backward, lambda d: np.roll(d, 1, axis=2), 0)),
        "overwrites where taps meet": Wrong("x", partial(conv_backward, accumulate=False)),
        "sums dbias over the batch only": Wrong(
            "bias", lambda dy, c: (*conv_backward(dy, c)[:2], dy.sum(axis=0)), "shape"
        ),
    },
    stride=2,
    padding=1,
)
conv3d = conv(
    "3-D convolution",
    (2, 2, 3, 4, 3),
    (2, 2, 2, 2, 2),
    {
        "swaps height and width of dweight": Wrong("weight", changed(conv_backward, lambda d: d.swapaxes(3, 4), 1)),
        "forgets the last slice of dx": Wrong(
            "x", changed(conv_backward, lambda d: d * np.array([1, 1, 0])[:, None, None], 0), region=np.s_[:, :, 2]
        ),
        "has the sign of dbias wrong": Wrong("bias", scaled(conv_backward, -1, 2)),
    },
)

LAYERS = (strided, padded, dilated, grouped, depthwise, conv1d, conv3d)
