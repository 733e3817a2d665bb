"""How good a network is on images that it has not seen, with the majority-class baseline beside it."""

import math

import numpy as np

from minunet.backend import as_array, as_list
from minunet.data.sample import Sample, check_samples
from minunet.errors import InputError
from minunet.metrics.cells import classes_of
from minunet.metrics.classes import class_measures
from minunet.metrics.pixels import iou, majority_pixel_error, pixel_error, pixel_error_f_score
from minunet.metrics.regions import components
from minunet.metrics.seg import cell_count, pooled_seg, seg_score
from minunet.metrics.thresholds import best_over_thresholds, mean_of_numbers
from minunet.metrics.v_rand_v_info import v_info, v_rand
from minunet.metrics.warping import warping_error
from minunet.progress import ProgressBar


def pixel_errors(samples: list[Sample], probabilities: list[np.ndarray], threshold: float = 0.5) -> list[dict]:
    """Return one row per sample: name, pixel_error and majority_pixel_error; quick enough to be used while training.

    The majority baseline gives every pixel the more common class. A network that is no better has learned nothing.
    """
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
    return [
        {
            "name": sample.name,
            "pixel_error": pixel_error(sample.labels > 0, classes_of(p, threshold) > 0, sample.known),
            "majority_pixel_error": majority_pixel_error(sample.labels > 0, sample.known),
        }
        for sample, p in zip(samples, probabilities, strict=True)
    ]


def evaluate(
    samples: list[Sample], probabilities: list[np.ndarray], progress: bool = False, threshold: float = 0.5
) -> dict:
    """Return what metrics.json holds: the mean of each measure, `images`, `best_over_thresholds` and `threshold`.

    The cells of the proposal are the 4-connected components of what is not class 0. Those of the truth are its
    instances where there are any; otherwise they are the components of the truth, and there is no `seg`.

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

    Returns
    -------
    evaluation : dict
        `images` has one row per sample: its name and its measures. A measure is NaN if the truth has no cell to compare
        with; such an image is left out of the mean. `best_over_thresholds` is for all images together; see the function
        of that name. With more than two classes, `classes` has a row for each, over all images: see `class_measures`.
    """
    rows = pixel_errors(samples, probabilities, threshold)  # which checks both
    probabilities = [as_array(p, "probabilities") for p in probabilities]
    rows_with_bar = ProgressBar(rows, desc="measuring", unit="image", disable=None if progress else True, leave=False)
    for row, sample, p in zip(rows_with_bar, samples, probabilities, strict=True):
        row.update(_slow_measures(sample, p, threshold))
    true_cells = [_true_cells(sample) for sample in samples]
    knowns = [sample.known for sample in samples]
    whole = [truth for truth in map(_seg_truth, samples) if truth is not None]
    with_seg = len(whole) == len(samples)
    cell_probabilities = [1 - p[0] for p in probabilities]
    best = best_over_thresholds(true_cells, cell_probabilities, knowns, progress, with_seg, whole if with_seg else None)
    means = mean(rows)
    if "seg" in means:
        means["seg"] = pooled_seg([row["seg"] for row in rows if "seg" in row], [cell_count(cells) for cells in whole])
    by_class = {"classes": class_measures(samples, probabilities, threshold)} if len(probabilities[0]) > 2 else {}
    return {**means, "images": rows, "best_over_thresholds": best, "threshold": threshold, **by_class}


def mean(rows: list[dict]) -> dict:
    """Return the mean of each measure over the rows that have it as a number; NaN if none does."""
    names = dict.fromkeys(name for row in rows for name in row if name != "name")
    return {name: mean_of_numbers([row.get(name, math.nan) for row in rows]) for name in names}


def _slow_measures(sample: Sample, p: np.ndarray, threshold: float) -> dict:
    """Return the measures that take longer, for one image and its probabilities (K, H, W)."""
    truth, proposal, known = sample.labels > 0, classes_of(p, threshold) > 0, sample.known
    true_cells, cells = _true_cells(sample), components(proposal)
    measures = {
        "pixel_error_f_score": pixel_error_f_score(truth, proposal, known),
        "v_rand": v_rand(true_cells, cells, known),
        "v_info": v_info(true_cells, cells, known),
        "warping_error": warping_error(truth, proposal, 1 - p[0], known),
        "iou": iou(truth, proposal, known),
    }
    seg_truth = _seg_truth(sample)
    return measures if seg_truth is None else {**measures, "seg": seg_score(seg_truth, cells)}


def _seg_truth(sample: Sample) -> np.ndarray | None:
    """Return the cells that SEG goes by: the instances as they were before touching ones were cut apart."""
    return sample.instances if sample.uncut is None else sample.uncut


def _true_cells(sample: Sample) -> np.ndarray:
    return components(sample.labels > 0) if sample.instances is None else sample.instances
