"""Losses of distance: mean squared error, Huber, contrastive, triplet, and cosine similarity."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, away_from, scaled

rng = np.random.default_rng(46)
normal = rng.standard_normal
MARGIN = 1.0


def mse_forward(prediction, target):
    return ((prediction - target) ** 2).mean(), prediction - target


def mse_backward(dloss, difference):
    dprediction = dloss * 2 * difference / difference.size
    return dprediction, -dprediction


mse = Layer(
    "mean squared error",
    mse_forward,
    mse_backward,
    (normal((3, 4)), normal((3, 4))),
    {
        "forgets the 2": Wrong("prediction", lambda dloss, d: (dloss * d / 12, -dloss * 2 * d / 12)),
        "divides by the batch alone": Wrong("prediction", scaled(mse_backward, 4, 0)),
        "has no minus for the target": Wrong("target", scaled(mse_backward, -1, 1)),
        "forgets dloss": Wrong("prediction", lambda dloss, d: mse_backward(1.0, d)),
    },
)


def huber_forward(prediction, target, delta=1.0):
    d = prediction - target
    return np.where(np.abs(d) < delta, d * d / 2, delta * (np.abs(d) - delta / 2)).mean(), d


def huber_backward(dloss, d, delta=1.0):
    dprediction = dloss * np.clip(d, -delta, delta) / d.size
    return dprediction, -dprediction


def huber_clipped_above(dloss, d):
    return huber_backward(dloss, d)[0], -dloss * np.minimum(d, 1) / d.size


residual = away_from(2 * normal((3, 4)), 1, -1)
target = normal((3, 4))
huber = Layer(
    "Huber loss",
    huber_forward,
    huber_backward,
    (target + residual, target),
    {
        "does not clip": Wrong("prediction", partial(huber_backward, delta=9), region=np.abs(residual) > 1),
        "clips at half of delta": Wrong("prediction", partial(huber_backward, delta=0.5)),
        "clips the upper side alone": Wrong("target", huber_clipped_above, region=residual < -1),
    },
)


def contrastive_forward(a, b, same):
    """Pull pairs of the same kind together, and push others apart up to a margin."""
    distance = np.linalg.norm(a - b, axis=1)
    loss = np.where(same, distance**2, np.maximum(MARGIN - distance, 0) ** 2).mean() / 2
    return loss, (a - b, distance, same)


def contrastive_backward(dloss, cache, push=1.0, reach=MARGIN):
    difference, distance, same = cache
    pull = np.where(same, 1, -push * np.maximum(reach - distance, 0) / distance)
    da = dloss * pull[:, None] * difference / len(same)
    return da, -da


same = np.array([1, 0, 0, 1, 0], bool)
anchor = normal((5, 3))
apart = anchor + np.array([0.4, 0.3, 1.2, 0.2, 0.5])[:, None] * normal((5, 3))
contrastive = Layer(
    "contrastive loss",
    contrastive_forward,
    contrastive_backward,
    (anchor, apart, same),
    {
        "pulls others together": Wrong("a", partial(contrastive_backward, push=-1), region=~same),
        "forgets the margin": Wrong("b", partial(contrastive_backward, reach=0), region=~same),
        "gives both the same sign": Wrong("b", scaled(contrastive_backward, -1, 1)),
    },
)


def triplet_forward(anchor, positive, negative):
    near, far = anchor - positive, anchor - negative
    margin = (near * near).sum(axis=1) - (far * far).sum(axis=1) + MARGIN
    return np.maximum(margin, 0).mean(), (near, far, margin > 0)


def triplet_backward(dloss, cache, far_in_anchor=1.0):
    near, far, active = cache
    scale = 2 * dloss * active[:, None] / len(active)
    return scale * (near - far_in_anchor * far), -scale * near, scale * far


def triplet_always_active(dloss, cache):
    return triplet_backward(dloss, (*cache[:2], np.ones_like(cache[2])))


near = anchor + 0.5 * normal((5, 3))
far = anchor + np.array([0.1, 3, 0.2, 0.15, 3])[:, None] * (1 + rng.random((5, 3)))  # two are past the margin
triplet = Layer(
    "triplet loss",
    triplet_forward,
    triplet_backward,
    (anchor, near, far),
    {
        "forgets the negative in the anchor": Wrong("anchor", partial(triplet_backward, far_in_anchor=0)),
        "counts triplets past the margin": Wrong("positive", triplet_always_active, region=[1, 4]),
        "has the negative's sign wrong": Wrong("negative", scaled(triplet_backward, -1, 2)),
    },
)


def cosine_forward(a, b):
    length_a, length_b = (np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    y = (a * b).sum(axis=1, keepdims=True) / (length_a * length_b)
    return y[:, 0], (a, b, length_a, length_b, y)


def cosine_backward(dy, cache, through_length=1.0):
    a, b, length_a, length_b, y = cache
    dy = dy[:, None]
    da = dy * (b / (length_a * length_b) - through_length * y * a / length_a**2)
    return da, dy * (a / (length_a * length_b) - through_length * y * b / length_b**2)


cosine = Layer(
    "cosine similarity",
    cosine_forward,
    cosine_backward,
    (normal((3, 4)), normal((3, 4))),
    {
        "takes the lengths for constants": Wrong("a", partial(cosine_backward, through_length=0)),
        "divides by a length once": Wrong("b", lambda dy, c: cosine_backward(dy, (*c[:3], c[3] ** 2, c[4]))),
        "swaps a and b": Wrong("a", lambda dy, c: cosine_backward(dy, c)[::-1], "shape"),
    },
)

LAYERS = (mse, huber, contrastive, triplet, cosine)
