"""How well a proposed segmentation agrees with the truth.

    pixel_error          = share of pixels that differ           (the challenge's code: mean squared 0/1 difference)
    pixel_error_f_score  = 1 - F,  F = 2 TP / (2 TP + FP + FN)  (the challenge's page; of cell pixels)
    majority_pixel_error = pixel_error of calling every pixel the commoner class
    iou                  = TP / (TP + FP + FN)

Binary images: 0 is background or membrane, 1 is cell.
"""

import numpy as np

from minunet.errors import InputError


def pixel_error(truth: np.ndarray, proposal: np.ndarray) -> float:
    """Return the share of pixels, 0 to 1, at which two binary images of one shape differ.

    Raises
    ------
    InputError
        If the shapes differ, there are no pixels, or there are values other than 0 and 1.
    """
    truth, proposal = _binary_pair(truth, proposal)
    return float((truth != proposal).mean())


def pixel_error_f_score(truth: np.ndarray, proposal: np.ndarray) -> float:
    """Return 1 - F-score of the cell pixels, 0 to 1; 0 if neither image has any; raises as `pixel_error`."""
    hits, alarms, misses = _counts(*_binary_pair(truth, proposal))
    wrong = alarms + misses
    return float(wrong / (2 * hits + wrong)) if wrong else 0.0


def majority_pixel_error(truth: np.ndarray) -> float:
    """Return the pixel error of a predictor that only ever says the commoner class; at most 0.5."""
    truth, _ = _binary_pair(truth, truth)
    share = float(truth.mean())
    return min(share, 1 - share)


def iou(truth: np.ndarray, proposal: np.ndarray) -> float:
    """Return intersection over union of the cell pixels, 0 to 1; 1 if neither image has any; as `pixel_error`."""
    hits, alarms, misses = _counts(*_binary_pair(truth, proposal))
    union = hits + alarms + misses
    return float(hits / union) if union else 1.0


def _counts(truth: np.ndarray, proposal: np.ndarray) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives."""
    return tuple(np.count_nonzero(where) for where in (truth & proposal, ~truth & proposal, truth & ~proposal))


def _binary_pair(truth, proposal) -> tuple[np.ndarray, np.ndarray]:
    images = {"truth": np.asarray(truth), "proposal": np.asarray(proposal)}
    for name, image in images.items():
        if not image.size:
            raise InputError(f"{name} must have pixels, got shape {image.shape}; pass a non-empty image")
        if not ((image == 0) | (image == 1)).all():
            found = ", ".join(map(str, np.unique(image)[:4]))
            raise InputError(f"{name} must hold 0 (background) and 1 (cell) only, got {found}, ...; threshold it first")
    shapes = [image.shape for image in images.values()]
    if shapes[0] != shapes[1]:
        raise InputError(f"truth and proposal must have one shape, got {shapes[0]} and {shapes[1]}; crop or resize one")
    return tuple(image.astype(bool) for image in images.values())
