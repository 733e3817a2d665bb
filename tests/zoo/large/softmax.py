"""Activations that mix elements (softmax, log-softmax, logsumexp, gated linear unit), and dropout of whole channels."""

import numpy as np
from scipy.special import expit

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(32).standard_normal


def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y, y


def softmax_backward(dy, y, axis=1):
    return y * (dy - (dy * y).sum(axis=axis, keepdims=True))


softmax = Layer(
    "softmax",
    softmax_forward,
    softmax_backward,
    (normal((4, 3, 2)),),
    {
        "has the Jacobian's diagonal only": Wrong("x", lambda dy, y: dy * y * (1 - y)),
        "sums over the wrong axis": Wrong("x", lambda dy, y: softmax_backward(dy, y, axis=2)),
        "sums over all but the batch": Wrong("x", lambda dy, y: softmax_backward(dy, y, axis=(1, 2))),
        "forgets the sum": Wrong("x", lambda dy, y: dy * y),
    },
)


def log_softmax_forward(x):
    y = x - np.logaddexp.reduce(x, axis=1, keepdims=True)
    return y, y


def log_softmax_backward(dy, y):
    return dy - np.exp(y) * dy.sum(axis=1, keepdims=True)


log_softmax = Layer(
    "log-softmax",
    log_softmax_forward,
    log_softmax_backward,
    (normal((4, 3)),),
    {
        "takes the sum of dy for 1": Wrong("x", lambda dy, y: dy - np.exp(y)),
        "forgets exp": Wrong("x", lambda dy, y: dy - y * dy.sum(axis=1, keepdims=True)),
        "sums over the batch": Wrong("x", lambda dy, y: dy - np.exp(y) * dy.sum(axis=0, keepdims=True)),
        "is the softmax's": Wrong("x", lambda dy, y: softmax_backward(dy, np.exp(y))),
    },
)


def logsumexp_forward(x):
    y = np.logaddexp.reduce(x, axis=1)
    return y, (x, y)


def logsumexp_backward(dy, cache):
    x, y = cache
    return dy[:, None] * np.exp(x - y[:, None])


logsumexp = Layer(
    "logsumexp",
    logsumexp_forward,
    logsumexp_backward,
    (2 * normal((3, 5)),),
    {
        "forgets to normalise": Wrong("x", lambda dy, cache: dy[:, None] * np.exp(cache[0] - cache[0].max(1)[:, None])),
        "goes to the largest element alone": Wrong(
            "x", lambda dy, cache: dy[:, None] * (cache[0] == cache[0].max(axis=1)[:, None])
        ),
        "forgets dy": Wrong("x", lambda dy, cache: logsumexp_backward(np.ones_like(dy), cache)),
    },
)


def glu_forward(x):
    value, gate = np.split(x, 2, axis=1)
    return value * expit(gate), (value, expit(gate))


def glu_backward(dy, cache):
    value, gate = cache
    return np.concatenate([dy * gate, dy * value * gate * (1 - gate)], axis=1)


def glu_with_halves_swapped(dy, cache):
    return np.roll(glu_backward(dy, cache), dy.shape[1], axis=1)


def glu_with_the_gate_as_constant(dy, cache):
    return np.concatenate([dy * cache[1], np.zeros_like(dy)], axis=1)


def glu_without_the_sigmoids_slope(dy, cache):
    return np.concatenate([dy * cache[1], dy * cache[0]], axis=1)


gate_half = np.s_[:, 3:]
glu = Layer(
    "gated linear unit",
    glu_forward,
    glu_backward,
    (normal((4, 6)),),
    {
        "swaps value and gate": Wrong("x", glu_with_halves_swapped),
        "takes the gate for a constant": Wrong("x", glu_with_the_gate_as_constant, region=gate_half),
        "forgets the sigmoid's slope": Wrong("x", glu_without_the_sigmoids_slope, region=gate_half),
    },
)


def spatial_dropout_forward(x, rng):
    keep = rng.random(x.shape[:2])[:, :, None] >= 0.4
    return x * keep / 0.6, keep


def spatial_dropout_backward(dy, keep):
    return dy * keep / 0.6


def spatial_dropout_of_single_elements(dy, keep):
    return dy * (np.random.default_rng(0).random(dy.shape) >= 0.4) / 0.6


spatial_dropout_args = normal((3, 4, 2)), np.random.default_rng(5)
spatial_dropout = Layer(
    "spatial dropout",
    spatial_dropout_forward,
    spatial_dropout_backward,
    spatial_dropout_args,
    {
        "drops single elements": Wrong("x", spatial_dropout_of_single_elements),
        "forgets the scale": Wrong("x", lambda dy, keep: dy * keep),
        "scales twice": Wrong("x", scaled(spatial_dropout_backward, 1 / 0.6)),
        "forgets the mask": Wrong("x", lambda dy, keep: dy / 0.6),
    },
)

LAYERS = (softmax, log_softmax, logsumexp, glu, spatial_dropout)
