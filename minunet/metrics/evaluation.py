"""How good a network is on images that it has not seen, with the majority-class baseline beside it."""

import math
from typing import Any

import numpy as np

from minunet.backend import as_array, as_list
from minunet.data.sample import Sample, check_samples
from minunet.errors import InputError
from minunet.metrics.cells import cells_of_any_class, classes_of
from minunet.metrics.classes import class_errors, class_measures, confusion
from minunet.metrics.pixels import iou, majority_pixel_error, pixel_error, pixel_error_f_score
from minunet.metrics.regions import components
from minunet.metrics.seg import cell_count, pooled_seg, seg_score
from minunet.metrics.thresholds import THRESHOLDS, best_over_thresholds, mean_of_numbers
from minunet.metrics.touching import SPLIT, check_split
from minunet.metrics.v_rand_v_info import v_info, v_rand
from minunet.metrics.warping import warping_error
from minunet.progress import ProgressBar


def pixel_errors(samples: list[Sample], probabilities: list[np.ndarray], threshold: float = 0.5) -> list[dict]:
    """Return one row per sample: name, pixel_error and majority_pixel_error; quick enough to be used while training.

    The majority baseline gives every pixel the more common class. A network that is no better has learned nothing.
    With more than two classes, a pixel is wrong if its class is.
    """
    samples, probabilities = _checked(samples, probabilities)
    K = max(map(len, probabilities), default=2)
    pairs = zip(samples, probabilities, strict=True)
    return [_pixel_errors(sample, classes_of(p, threshold), K) for sample, p in pairs]


def _checked(samples: Any, probabilities: Any) -> tuple[list[Sample], list[np.ndarray]]:
    """Return both as lists; raise InputError unless there are probabilities (K, H, W) for each sample."""
    samples, probabilities = check_samples(samples), as_list(probabilities, "probabilities")
    if len(samples) != len(probabilities):
        counts = f"{len(samples)} and {len(probabilities)}"
        raise InputError(f"samples and probabilities must be of one length, got {counts}; give one per sample")
    probabilities = [as_array(p, "probabilities") for p in probabilities]
    for sample, p in zip(samples, probabilities, strict=True):
        if p.ndim != 3 or p.shape[1:] != np.shape(sample.labels):
            raise InputError(
                f"probabilities must be (K, H, W) for labels (H, W) = {np.shape(sample.labels)}, got {p.shape}; "
                "predict returns such arrays"
            )
    return samples, probabilities


def evaluate(
    samples: list[Sample],
    probabilities: list[np.ndarray],
    progress: bool = False,
    threshold: float = 0.5,
    split: float = SPLIT,
    binary: bool = False,
) -> dict:
    """Return what metrics.json holds: each measure's mean, `images`, `best_over_thresholds`, `threshold` and `split`.

    The cells of the proposal are the 4-connected components of what is not class 0, touching ones told apart as
    `label_cells` does. Those of the truth are its instances where there are any; otherwise they are the components of
    the truth, and there is no `seg`.

    `seg` is as in the Cell Tracking Challenge: by the instances that the data came with, not cut apart where they touch
    (`Sample.uncut`), whole, also where the truth around them is not known; and not the mean of the images, but the
    mean over the cells of all images.

    Parameters
    ----------
    samples : not empty
    probabilities : arrays, (K, H, W) each
    progress : bool
        Show a progress bar by images.
    threshold : float
        A pixel is cell where the probability of cell is above it; see `classes_of`.
    split : float
        By how much the probability falls between two cells that touch; 1: cells are components, as in the EM challenge.
    binary : bool
        Whether the truth is background and cell only, though the network has more classes: cells of any are cell then.

    Returns
    -------
    evaluation : dict
        `images` has one row per sample: its name and its measures. A measure is NaN if the truth has no cell to compare
        with; such an image is left out of the mean. `best_over_thresholds` is for all images together, at the EM
        challenge's thresholds or the given one, and of connected components, as there; see the function of that name.
        With more than two classes, `classes` has a row for each, over all images: see `class_measures`; `pixel_error`
        and `majority_pixel_error` are then the shares of pixels whose class is wrong, and all other measures are of
        cell, of any class, against background.
    """
    samples, probabilities = _checked(samples, probabilities)
    check_split(split)
    K = 2 if binary else max(map(len, probabilities), default=2)
    proposals = [classes_of(p, threshold) for p in probabilities]
    triples = list(zip(samples, proposals, probabilities, strict=True))
    with_bar = ProgressBar(triples, desc="measuring", unit="image", disable=None if progress else True, leave=False)
    rows = []
    for sample, classes, p in with_bar:
        proposal = classes > 0
        cells = cells_of_any_class(classes, p, threshold, split)
        rows.append({**_pixel_errors(sample, classes, K), **_slow_measures(sample, proposal, 1 - p[0], cells)})
    truths = [true_cells(sample) for sample in samples]
    knowns = [sample.known for sample in samples]
    whole = [truth for truth in map(seg_truth, samples) if truth is not None]
    with_seg = len(whole) == len(samples)
    cell_probabilities = [1 - p[0] for p in probabilities]
    seg_truths, tried = whole if with_seg else None, sorted({*THRESHOLDS, threshold})
    best = best_over_thresholds(truths, cell_probabilities, knowns, progress, with_seg, seg_truths, tried)
    means = mean(rows)
    if "seg" in means:
        means["seg"] = pooled_seg([row["seg"] for row in rows if "seg" in row], [cell_count(cells) for cells in whole])
    by_class = {"classes": class_measures(samples, proposals, K)} if K > 2 else {}
    settings = {"threshold": threshold, "split": float(split)}
    return {**means, "images": rows, "best_over_thresholds": best, **settings, **by_class}


def mean(rows: list[dict]) -> dict:
    """Return the mean of each measure over the rows that have it as a number; NaN if none does."""
    names = dict.fromkeys(name for row in rows for name in row if name != "name")
    return {name: mean_of_numbers([row.get(name, math.nan) for row in rows]) for name in names}


def _pixel_errors(sample: Sample, classes: np.ndarray, K: int) -> dict:
    """Return the row of one image that `pixel_errors` has; `classes` (H, W), out of K, are the proposal."""
    if K > 2:
        return {"name": sample.name, **class_errors(confusion(sample, classes, K))}
    truth, known = sample.labels > 0, sample.known
    return {
        "name": sample.name,
        "pixel_error": pixel_error(truth, classes > 0, known),
        "majority_pixel_error": majority_pixel_error(truth, known),
    }


def _slow_measures(sample: Sample, proposal: np.ndarray, probability: np.ndarray, cells: np.ndarray) -> dict:
    """Return the measures that take longer, of one image: its proposal, the probability of cell and the cells."""
    truth, known, whole = sample.labels > 0, sample.known, true_cells(sample)
    measures = {
        "pixel_error_f_score": pixel_error_f_score(truth, proposal, known),
        "v_rand": v_rand(whole, cells, known),
        "v_info": v_info(whole, cells, known),
        "warping_error": warping_error(truth, proposal, probability, known),
        "iou": iou(truth, proposal, known),
    }
    uncut = seg_truth(sample)
    return measures if uncut is None else {**measures, "seg": seg_score(uncut, cells)}


def seg_truth(sample: Sample) -> np.ndarray | None:
    """Return the cells that SEG goes by: the instances as they were before touching ones were cut apart."""
    return sample.instances if sample.uncut is None else sample.uncut


def true_cells(sample: Sample) -> np.ndarray:
    """Return the cells of the truth, (H, W): its instances, or its components where it has none."""
    return components(sample.labels > 0) if sample.instances is None else sample.instances
