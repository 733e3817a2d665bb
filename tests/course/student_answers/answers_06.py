"""Answers to the exercises of notebook 06."""

import functools

import numpy as np
import scipy

from student_answers.common import RIGHT


def plain_softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_of_the_largest_of_all(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum(axis=1, keepdims=True)


def softmax_with_epsilon(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / (e.sum(axis=1, keepdims=True) + 1e-7)


def loss_of_log_p(logits, labels, weights, epsilon=0.0):
    p = np.take_along_axis(plain_softmax(logits), labels[:, None], axis=1)[:, 0]
    return (weights * -np.log(p + epsilon)).mean()


def onehot_minus_in_place(dloss, cache):
    p, labels, weights = cache
    for n, h, w in np.ndindex(labels.shape):
        p[n, labels[n, h, w], h, w] -= 1
    return dloss * weights[:, None] * p / labels.size


def for_two_classes(dloss, cache):
    p, labels, weights = cache
    onehot = np.stack([labels == 0, labels == 1, labels == 2], axis=1)
    return dloss * weights[:, None] * (p - onehot) / labels.size


def border_weights_of_numbers_without_gaps(instances, w0, sigma):
    to_cell = [scipy.ndimage.distance_transform_edt(instances != i) for i in range(1, instances.max() + 1)]
    d1, d2 = np.sort(to_cell, axis=0)[:2]
    return np.where(instances > 0, 1.0, 1 + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2)))


ANSWERS = [
    ("softmax", plain_softmax, RIGHT),
    ("softmax", lambda logits: scipy.special.softmax(logits, axis=1), RIGHT),
    ("softmax", lambda logits: plain_softmax(logits).astype(np.float32), "digits: float32, or an epsilon?"),
    ("softmax", softmax_with_epsilon, "equal to about 7 digits"),
    ("softmax", softmax_of_the_largest_of_all, "nan"),
    ("softmax", lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), "where it says nan"),
    ("weighted_cross_entropy", loss_of_log_p, RIGHT),
    (
        "weighted_cross_entropy",
        lambda *args: round(loss_of_log_p(*args), 9),
        "the tiny case is right, but",
    ),  # tiny weights
    ("weighted_cross_entropy", functools.partial(loss_of_log_p, epsilon=1e-7), "float32, or an epsilon?"),
    (
        "weighted_cross_entropy",
        lambda logits, labels, weights: np.average(
            -np.log(np.take_along_axis(plain_softmax(logits), labels[:, None], 1)[:, 0]), weights=weights
        ),
        "sum of the weights",
    ),
    ("softmax_cross_entropy_backward", onehot_minus_in_place, "it changes its argument cache.p"),
    ("softmax_cross_entropy_backward", for_two_classes, "the tiny case is right, but"),
    ("border_weights", border_weights_of_numbers_without_gaps, "the tiny case is right, but"),
]
