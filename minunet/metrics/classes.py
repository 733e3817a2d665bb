"""Measures of each class, where there are more than two: all images count together, pixel by pixel.

iou          TP / (TP + FP + FN)
dice         2 TP / (2 TP + FP + FN)
pixel_error  (FP + FN) / all pixels
"""

import math

import numpy as np

from minunet.backend import as_array, to_host
from minunet.data.sample import Sample


def class_measures(samples: list[Sample], proposals: list[np.ndarray], K: int) -> list[dict]:
    """Return a row for each of K classes: class, share of the pixels, iou, dice and pixel_error.

    A proposal (H, W) has the class of each pixel, as from `classes_of`. Pixels whose truth is not known are left out.
    IoU and Dice of a class that neither the truth nor the proposals have are NaN.
    """
    counts = np.zeros((K, K), np.int64)  # pixels of class i in the truth and j in the proposal
    for sample, classes in zip(samples, proposals, strict=True):
        known = np.ones(sample.labels.shape, bool) if sample.known is None else to_host(sample.known)
        truth, proposal = to_host(as_array(sample.labels, "labels")), to_host(classes)
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
