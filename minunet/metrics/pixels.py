"""Measures that compare two images pixel by pixel; each pixel counts the same, wherever it lies.

    pixel_error          = share of pixels that differ           (the challenge's code: mean squared 0/1 difference)
    pixel_error_f_score  = 1 - F,  F = 2 TP / (2 TP + FP + FN)  (the challenge's page; of cell pixels)
    majority_pixel_error = pixel_error of giving every pixel the more common class
    iou                  = TP / (TP + FP + FN)

Binary images: 0 is background or membrane, 1 is cell. Pixels where `known` is False are left out.
"""

import numpy as np

from minunet.metrics.checks import binary_pair


def pixel_error(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return the share of pixels, 0 to 1, at which two binary images of one shape differ.

    Raises
    ------
    InputError
        If the shapes differ, no pixel is known, or there are values other than 0 and 1.
    """
    truth, proposal, known = binary_pair(truth, proposal, known)
    return float((truth != proposal)[known].mean())


def pixel_error_f_score(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return 1 - F-score of the cell pixels, 0 to 1; 0 if neither image has any; raises as `pixel_error`."""
    hits, alarms, misses = _counts(truth, proposal, known)
    wrong = alarms + misses
    return float(wrong / (2 * hits + wrong)) if wrong else 0.0


def majority_pixel_error(truth: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return the pixel error of giving every pixel the more common class; at most 0.5."""
    truth, _, known = binary_pair(truth, truth, known)
    share = float(truth[known].mean())
    return min(share, 1 - share)


def iou(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return intersection over union of the cell pixels, 0 to 1; 1 if neither has any; raises as `pixel_error`."""
    hits, alarms, misses = _counts(truth, proposal, known)
    union = hits + alarms + misses
    return float(hits / union) if union else 1.0


def _counts(truth, proposal, known) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives."""
    truth, proposal, known = binary_pair(truth, proposal, known)
    hits = truth & proposal & known
    alarms = ~truth & proposal & known
    misses = truth & ~proposal & known
    return int(np.count_nonzero(hits)), int(np.count_nonzero(alarms)), int(np.count_nonzero(misses))
