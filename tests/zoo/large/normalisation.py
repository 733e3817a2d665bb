"""Batch, layer, group, instance, RMS and weight normalisation.

The first four differ only in the axes that they take the mean and the variance over. Most mistakes are made in
`through`, the way back through (x - mean) / std.
"""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(30).standard_normal
EPS = 1e-3
GROUPS = 2


def standardise(x, axes):
    std = np.sqrt(x.var(axis=axes, keepdims=True) + EPS)
    return (x - x.mean(axis=axes, keepdims=True)) / std, std


def through(dxhat, xhat, std, axes):
    mean = dxhat.mean(axis=axes, keepdims=True)
    return (dxhat - mean - xhat * (dxhat * xhat).mean(axis=axes, keepdims=True)) / std


def statistics_as_constants(dxhat, xhat, std, axes):
    return dxhat / std


def without_mean(dxhat, xhat, std, axes):
    return (dxhat - xhat * (dxhat * xhat).mean(axis=axes, keepdims=True)) / std


def without_variance(dxhat, xhat, std, axes):
    return (dxhat - dxhat.mean(axis=axes, keepdims=True)) / std


def sums_for_means(dxhat, xhat, std, axes):
    total = dxhat.sum(axis=axes, keepdims=True)
    return (dxhat - total - xhat * (dxhat * xhat).sum(axis=axes, keepdims=True)) / std


def without_eps(dxhat, xhat, std, axes):
    return through(dxhat, xhat, np.sqrt(std**2 - EPS), axes)


def batch_norm_forward(x, gamma, beta):
    xhat, std = standardise(x, (0, 2, 3))
    return gamma[:, None, None] * xhat + beta[:, None, None], (xhat, std, gamma)


def batch_norm_backward(dy, cache, through=through):
    xhat, std, gamma = cache
    dx = through(dy * gamma[:, None, None], xhat, std, (0, 2, 3))
    return dx, (dy * xhat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))


batch_norm = Layer(
    "batch norm",
    batch_norm_forward,
    batch_norm_backward,
    (normal((3, 4, 2, 3)) + 1, 1 + 0.3 * normal(4), normal(4)),
    {
        "takes mean and variance for constants": Wrong(
            "x", partial(batch_norm_backward, through=statistics_as_constants)
        ),
        "forgets the mean's term": Wrong("x", partial(batch_norm_backward, through=without_mean)),
        "forgets the variance's term": Wrong("x", partial(batch_norm_backward, through=without_variance)),
        "forgets eps": Wrong("x", partial(batch_norm_backward, through=without_eps)),
        "dgamma is a mean over the batch": Wrong("gamma", scaled(batch_norm_backward, 1 / 3, 1)),
    },
)


def layer_norm_forward(x, gamma, beta):
    xhat, std = standardise(x, -1)
    return gamma * xhat + beta, (xhat, std, gamma)


def layer_norm_backward(dy, cache, through=through):
    xhat, std, gamma = cache
    return through(dy * gamma, xhat, std, -1), (dy * xhat).sum(axis=(0, 1)), dy.sum(axis=(0, 1))


def layer_norm_with_gamma_too_late(dy, cache):
    xhat, std, gamma = cache
    return gamma * through(dy, xhat, std, -1), *layer_norm_backward(dy, cache)[1:]


def layer_norm_of_two_axes(dy, cache):
    dx, _, _ = layer_norm_backward(dy, cache)
    return dx, (dy * cache[0]).sum(axis=0), dy.sum(axis=(0, 1))


layer_norm = Layer(
    "layer norm",
    layer_norm_forward,
    layer_norm_backward,
    (normal((2, 3, 5)), 1 + 0.3 * normal(5), normal(5)),
    {
        "multiplies by gamma after the statistics": Wrong("x", layer_norm_with_gamma_too_late),
        "sums where means belong": Wrong("x", partial(layer_norm_backward, through=sums_for_means)),
        "forgets the mean's term": Wrong("x", partial(layer_norm_backward, through=without_mean)),
        "sums dgamma over the batch only": Wrong("gamma", layer_norm_of_two_axes, "shape"),
    },
)


def instance_norm_forward(x):
    xhat, std = standardise(x, (2, 3))
    return xhat, (xhat, std)


def instance_norm_backward(dy, cache, through=through, axes=(2, 3)):
    return through(dy, *cache, axes)


instance_norm = Layer(
    "instance norm",
    instance_norm_forward,
    instance_norm_backward,
    (2 * normal((2, 3, 3, 4)),),
    {
        "takes the means over the batch too": Wrong("x", partial(instance_norm_backward, axes=(0, 2, 3))),
        "takes the means over one axis": Wrong("x", partial(instance_norm_backward, axes=3)),
        "forgets the variance's term": Wrong("x", partial(instance_norm_backward, through=without_variance)),
        "forgets eps": Wrong("x", partial(instance_norm_backward, through=without_eps)),
    },
)


def group_norm_forward(x, gamma):
    xhat, std = standardise(x.reshape(len(x), GROUPS, -1), -1)
    return gamma[:, None, None] * xhat.reshape(x.shape), (xhat, std, gamma)


def group_norm_backward(dy, cache, through=through, axes=-1):
    xhat, std, gamma = cache
    dx = through((dy * gamma[:, None, None]).reshape(xhat.shape), xhat, std, axes).reshape(dy.shape)
    return dx, (dy * xhat.reshape(dy.shape)).sum(axis=(0, 2, 3))


group_norm = Layer(
    "group norm",
    group_norm_forward,
    group_norm_backward,
    (normal((2, 4, 2, 3)), 1 + 0.3 * normal(4)),
    {
        "takes the means over both groups": Wrong("x", partial(group_norm_backward, axes=(1, 2))),
        "takes mean and variance for constants": Wrong(
            "x", partial(group_norm_backward, through=statistics_as_constants)
        ),
        "forgets the mean's term": Wrong("x", partial(group_norm_backward, through=without_mean)),
        "dgamma is divided by the group's size": Wrong("gamma", scaled(group_norm_backward, 1 / 12, 1)),
    },
)


def rms_norm_forward(x, gamma):
    rms = np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPS)
    return gamma * x / rms, (x / rms, rms, gamma)


def rms_norm_backward(dy, cache, through=without_mean):
    xhat, rms, gamma = cache
    return through(dy * gamma, xhat, rms, -1), (dy * xhat).sum(axis=0)


def rms_norm_of_raw_x(dy, cache):
    xhat, rms, _ = cache
    return rms_norm_backward(dy, cache)[0], (dy * xhat * rms).sum(axis=0)


rms_norm = Layer(
    "RMS norm",
    rms_norm_forward,
    rms_norm_backward,
    (normal((3, 5)) + 0.5, 1 + 0.3 * normal(5)),
    {
        "subtracts the mean, as layer norm does": Wrong("x", partial(rms_norm_backward, through=through)),
        "takes the root mean square for a constant": Wrong(
            "x", partial(rms_norm_backward, through=statistics_as_constants)
        ),
        "multiplies dgamma by x before normalising": Wrong("gamma", rms_norm_of_raw_x),
    },
)


def weight_norm_forward(v, g):
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return g[:, None] * v / length, (v / length, length, g)


def weight_norm_backward(dw, cache, radial=1):
    direction, length, g = cache
    along = (dw * direction).sum(axis=1, keepdims=True)
    return g[:, None] / length * (dw - radial * along * direction), along[:, 0]


weight_norm = Layer(
    "weight norm",
    weight_norm_forward,
    weight_norm_backward,
    (normal((3, 4)), 1 + normal(3) ** 2),
    {
        "keeps the radial part": Wrong("v", partial(weight_norm_backward, radial=0)),
        "adds the radial part": Wrong("v", partial(weight_norm_backward, radial=-1)),
        "dg points the other way": Wrong("g", scaled(weight_norm_backward, -1, 1)),
    },
)

LAYERS = (batch_norm, layer_norm, instance_norm, group_norm, rms_norm, weight_norm)
