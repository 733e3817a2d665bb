"""Measures of classes, where there are more than two, pixel by pixel.

Of each class, all images together:

    iou          TP / (TP + FP + FN)
    dice         2 TP / (2 TP + FP + FN)
    pixel_error  (FP + FN) / all pixels

Of an image, all classes together:

    pixel_error           share of pixels whose class is wrong
    majority_pixel_error  that of giving every pixel the most common class
"""

import math

import numpy as np

from minunet.backend import as_array, to_host
from minunet.data.sample import Sample
from minunet.errors import InputError
from minunet.metrics.touching import strips


def class_measures(samples: list[Sample], proposals: list[np.ndarray], K: int) -> list[dict]:
    """Return a row for each of K classes: class, share of the pixels, iou, dice and pixel_error.

    A proposal (H, W) has the class of each pixel, as from `classes_of`. Pixels whose truth is not known are left out.
    IoU and Dice of a class that neither the truth nor the proposals have are NaN.
    """
    counts = sum(confusion(sample, proposal, K) for sample, proposal in zip(samples, proposals, strict=True))
    return [_row(k, np.asarray(counts)) for k in range(K)]


def confusion(sample: Sample, proposal: np.ndarray, K: int) -> np.ndarray:
    """Return how many pixels are of class i in the truth and j in the proposal (H, W): int64, (K, K).

    Pixels whose truth is not known are left out.

    Raises
    ------
    InputError
        If no pixel is known, or the truth has a class K or above.
    """
    truth, found = to_host(as_array(sample.labels, "labels")), to_host(proposal)
    known = None if sample.known is None else to_host(sample.known)
    if truth.max() >= K:
        raise InputError(f"labels must be below {K}, as the probabilities are of {K} classes, got {truth.max()}")
    counts = np.zeros((K, K), np.int64)
    for rows in strips(truth):
        inside = ... if known is None else known[rows]
        pairs = truth[rows][inside].astype(np.int64) * K + found[rows][inside]
        counts += np.bincount(pairs.ravel(), minlength=K * K).reshape(K, K)
    if not counts.any():
        raise InputError("known must be True at one pixel at least, got none; leave the image out")
    return counts


def class_errors(counts: np.ndarray) -> dict[str, float]:
    """Return pixel_error and majority_pixel_error of an image, from its `confusion`."""
    total = int(counts.sum())
    return {
        "pixel_error": (total - int(np.trace(counts))) / total,
        "majority_pixel_error": (total - int(counts.sum(axis=1).max())) / total,
    }


def _row(k: int, counts: np.ndarray) -> dict:
    hits, total = int(counts[k, k]), int(counts.sum())
    wrong = int(counts[k].sum() + counts[:, k].sum()) - 2 * hits
    is_there = hits + wrong > 0
    return {
        "class": k,
        "share": float(counts[k].sum() / total),
        "iou": hits / (hits + wrong) if is_there else math.nan,
        "dice": 2 * hits / (2 * hits + wrong) if is_there else math.nan,
        "pixel_error": wrong / total,
    }
