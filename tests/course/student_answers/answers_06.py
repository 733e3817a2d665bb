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


def onehot_minus_by_eye(dloss, cache):
    p, labels, weights = cache
    onehot = np.moveaxis(np.eye(p.shape[1])[labels], -1, 1)
    return dloss * (p - onehot) * weights[:, None] / labels.size


def logits_gradient_through_p(dloss, cache):
    """-1 / p of the label alone, and the softmax is forgotten."""
    p, labels, weights = cache
    onehot = labels[:, None] == np.arange(p.shape[1])[:, None, None]
    return -dloss * weights[:, None] * onehot / p / labels.size


def logits_gradient_of_the_batch(dloss, cache):
    """Divided by N alone, as for whole images with one label each."""
    return onehot_minus_by_eye(dloss, cache) * cache.labels[0].size


def border_weights_by_loops(instances, w0, sigma):
    cells = [np.argwhere(instances == i) for i in np.unique(instances[instances > 0])]
    out = np.ones(instances.shape)
    for pixel in np.argwhere(instances == 0):
        d1, d2 = sorted(np.sqrt(((cell - pixel) ** 2).sum(axis=1)).min() for cell in cells)[:2]
        out[tuple(pixel)] += w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return out.tolist()


def border_weights_of_the_background_alone(instances, w0, sigma):
    out = np.array(border_weights_by_loops(instances, w0, sigma))
    out[instances > 0] = 0
    return out


def border_weights_of_city_blocks(instances, w0, sigma):
    to_cell = [scipy.ndimage.distance_transform_cdt(instances != i, "taxicab") for i in np.unique(instances)[1:]]
    d1, d2 = np.sort(to_cell, axis=0)[:2]
    return np.where(instances > 0, 1.0, 1 + w0 * np.exp(-((d1 + d2) ** 2.0) / (2 * sigma**2)))


def border_weights_of_one_distance(instances, w0, sigma):
    d = scipy.ndimage.distance_transform_edt(instances == 0)
    return np.where(instances > 0, 1.0, 1 + w0 * np.exp(-((2 * d) ** 2) / (2 * sigma**2)))


def border_weights_of_the_usual_numbers(instances, w0, sigma):
    return border_weights_by_loops(instances, 10.0, 5.0)


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
    ("softmax_cross_entropy_backward", onehot_minus_by_eye, RIGHT),
    ("softmax_cross_entropy_backward", logits_gradient_through_p, "dlogits differs"),
    ("softmax_cross_entropy_backward", logits_gradient_of_the_batch, "dlogits differs"),
    ("border_weights", border_weights_by_loops, RIGHT),
    ("border_weights", border_weights_of_the_background_alone, "weights differs"),
    ("border_weights", border_weights_of_city_blocks, "weights differs"),
    ("border_weights", border_weights_of_one_distance, "the nearest cell is counted twice"),
    ("border_weights", border_weights_of_the_usual_numbers, "weights differs"),
]
