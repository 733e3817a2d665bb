"""Losses of classification: a mean over all elements, or over the batch."""

from functools import partial

import numpy as np
from scipy.special import expit

from zoo.large.layer import Layer, Wrong, scaled

rng = np.random.default_rng(38)
normal = rng.standard_normal
labels = np.array([2, 0, 1, 2])
signs = np.array([1, -1, -1, 1, 1, -1])
SMOOTHING = 0.1


def binary_hinge_forward(score, sign):
    margin = 1 - sign * score
    return np.maximum(margin, 0).mean(), (sign, margin)


def binary_hinge_backward(dloss, cache):
    sign, margin = cache
    return -dloss * sign * (margin > 0) / margin.size


scores = signs * np.array([0.3, 1.7, -0.8, 2.2, 0.6, -1.4])
binary_hinge = Layer(
    "hinge loss",
    binary_hinge_forward,
    binary_hinge_backward,
    (scores, signs),
    {
        "pushes what is past the margin": Wrong("score", lambda dloss, c: -dloss * c[0] / 6, region=[1, 3]),
        "forgets the label's sign": Wrong("score", lambda dloss, c: -dloss * (c[1] > 0) / 6, region=[2, 5]),
        "stops at zero in place of the margin": Wrong(
            "score", lambda dloss, c: -dloss * c[0] * (c[1] > 1) / 6, region=[0, 4]
        ),
    },
)


def svm_forward(score, label):
    rows = np.arange(len(score))
    margin = score - score[rows, label][:, None] + 1
    margin[rows, label] = 0
    return np.maximum(margin, 0).sum() / len(score), (margin > 0, label)


def svm_backward(dloss, cache):
    over, label = cache
    dscore = over.astype(float)
    dscore[np.arange(len(label)), label] = -over.sum(axis=1)
    return dloss * dscore / len(label)


def svm_with_another_right_class(dloss, cache, right):
    over, label = cache
    dscore = over.astype(float)
    dscore[np.arange(len(label)), label] = right
    return dloss * dscore / len(label)


right_class = np.arange(4), labels
svm = Layer(
    "multi-class hinge loss",
    svm_forward,
    svm_backward,
    (0.4 * normal((4, 3)), labels),
    {
        "counts the right class once": Wrong(
            "score", partial(svm_with_another_right_class, right=-1), region=right_class
        ),
        "leaves the right class out": Wrong(
            "score", partial(svm_with_another_right_class, right=0), region=right_class
        ),
        "sums over the batch": Wrong("score", scaled(svm_backward, 4)),
    },
)


def bce_forward(logits, target):
    return (np.logaddexp(0, logits) - target * logits).mean(), (logits, target)


def bce_backward(dloss, cache):
    logits, target = cache
    return dloss * (expit(logits) - target) / logits.size, -dloss * logits / logits.size


bce = Layer(
    "binary cross-entropy",
    bce_forward,
    bce_backward,
    (normal((3, 4)), rng.random((3, 4))),
    {
        "applies the sigmoid's slope once more": Wrong(
            "logits",
            lambda dloss, c: (bce_backward(dloss, c)[0] * expit(c[0]) * expit(-c[0]), bce_backward(dloss, c)[1]),
        ),
        "sums over all elements": Wrong("logits", scaled(bce_backward, 12, 0)),
        "takes the target's gradient for zero": Wrong("target", scaled(bce_backward, 0, 1)),
    },
)


def nll_forward(log_p, label):
    return -log_p[np.arange(len(label)), label].mean(), (log_p.shape, label)


def nll_backward(dloss, cache, shift=0):
    shape, label = cache
    dlog_p = np.zeros(shape)
    dlog_p[np.arange(len(label)), label + shift] = -dloss / len(label)
    return dlog_p


nll = Layer(
    "negative log-likelihood",
    nll_forward,
    nll_backward,
    (normal((4, 3)), labels),
    {
        "is off by one label": Wrong("log_p", partial(nll_backward, shift=-1)),
        "divides by all elements": Wrong("log_p", scaled(nll_backward, 1 / 3)),
        "has the sign wrong": Wrong("log_p", scaled(nll_backward, -1)),
    },
)


def smoothed_forward(logits, label):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    goal = (1 - SMOOTHING) * (label[:, None] == np.arange(logits.shape[1])) + SMOOTHING / logits.shape[1]
    return -(goal * log_p).sum() / len(label), (np.exp(log_p), goal, label)


def smoothed_backward(dloss, cache):
    p, goal, _ = cache
    return dloss * (p - goal) / len(p)


smoothed = Layer(
    "smoothed cross-entropy",
    smoothed_forward,
    smoothed_backward,
    (normal((4, 3)), labels),
    {
        "forgets the smoothing": Wrong("logits", lambda dloss, c: dloss * (c[0] - (c[2][:, None] == np.arange(3))) / 4),
        "has a goal that sums to less than 1": Wrong(
            "logits", lambda dloss, c: dloss * (c[0] - c[1] + SMOOTHING / 3) / 4
        ),
        "multiplies by p once more": Wrong("logits", lambda dloss, c: dloss * c[0] * (c[0] - c[1]) / 4),
    },
)


def kl_forward(log_q, p):
    return (p * (np.log(p) - log_q)).sum() / len(p), (log_q, p)


def kl_backward(dloss, cache):
    log_q, p = cache
    return -dloss * p / len(p), dloss * (np.log(p) - log_q + 1) / len(p)


kl_args = np.log(rng.dirichlet(np.ones(4), 3)), rng.dirichlet(2 * np.ones(4), 3) + 0.05
kl = Layer(
    "Kullback-Leibler divergence",
    kl_forward,
    kl_backward,
    kl_args,
    {
        "forgets the 1 of p log p": Wrong(
            "p", lambda dloss, c: (kl_backward(dloss, c)[0], dloss * (np.log(c[1]) - c[0]) / 3)
        ),
        "weighs by q": Wrong("log_q", lambda dloss, c: (-dloss * np.exp(c[0]) / 3, kl_backward(dloss, c)[1])),
        "averages over the classes too": Wrong("log_q", scaled(kl_backward, 1 / 4, 0)),
    },
)

LAYERS = (binary_hinge, svm, bce, nll, smoothed, kl)
