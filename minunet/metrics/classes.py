"""Measures of each class, where there are more than two: all images count together, pixel by pixel.

iou          TP / (TP + FP + FN)
dice         2 TP / (2 TP + FP + FN)
pixel_error  (FP + FN) / all pixels
"""

import math

import numpy as np

from minunet.backend import as_array, to_host
from minunet.data.sample import Sample
from minunet.metrics.cells import classes_of


def class_measures(samples: list[Sample], probabilities: list[np.ndarray], threshold: float) -> list[dict]:
    """Return a row for each class: class, share of the pixels, iou, dice and pixel_error; IoU and Dice may be NaN.

    The class of a pixel is as `classes_of` has it; pixels whose truth is not known are left out. A class that neither
    the truth nor the proposal has gets NaN.
    """
    K = max(len(p) for p in probabilities)
    counts = np.zeros((K, K), np.int64)  # pixels of class i in the truth and j in the proposal
    for sample, p in zip(samples, probabilities, strict=True):
        known = np.ones(sample.labels.shape, bool) if sample.known is None else to_host(sample.known)
        truth, proposal = to_host(as_array(sample.labels, "labels")), to_host(classes_of(p, threshold))
        pairs = truth[known].astype(np.int64) * K + proposal[known]
        counts += np.bincount(pairs, minlength=K * K).reshape(K, K)
    return [_row(k, counts) for k in range(K)]


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
