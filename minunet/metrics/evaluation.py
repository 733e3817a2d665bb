"""How good a network is on images that it has not seen, with the majority-class baseline beside it."""

import math

import numpy as np

from minunet.backend import as_array, as_list, check_finite
from minunet.data.sample import Sample, check_samples
from minunet.errors import InputError
from minunet.metrics.pixels import iou, majority_pixel_error, pixel_error, pixel_error_f_score
from minunet.metrics.regions import components
from minunet.metrics.seg import seg_score
from minunet.metrics.thresholds import best_over_thresholds, mean_of_numbers
from minunet.metrics.v_rand_v_info import v_info, v_rand
from minunet.metrics.warping import warping_error
from minunet.progress import ProgressBar


def pixel_errors(samples: list[Sample], probabilities: list[np.ndarray]) -> list[dict]:
    """Return one row per sample: name, pixel_error and majority_pixel_error; quick enough to be used while training.

    The majority baseline gives every pixel the more common class. A network that is no better has learned nothing.
    """
    samples, probabilities = check_samples(samples), as_list(probabilities, "probabilities")
    if len(samples) != len(probabilities):
        counts = f"{len(samples)} and {len(probabilities)}"
        raise InputError(f"samples and probabilities must be of one length, got {counts}; give one per sample")
    probabilities = [as_array(p, "probabilities") for p in probabilities]
    for sample, p in zip(samples, probabilities, strict=True):
        check_finite(p, "probabilities")
        if p.ndim != 3 or p.shape[1:] != np.shape(sample.labels) or len(p) < 1:
            raise InputError(
                f"probabilities must be (K, H, W) for labels (H, W) = {np.shape(sample.labels)}, got {p.shape}; "
                "predict returns such arrays"
            )
    return [
        {
            "name": sample.name,
            "pixel_error": pixel_error(sample.labels > 0, p.argmax(axis=0) > 0, sample.known),
            "majority_pixel_error": majority_pixel_error(sample.labels > 0, sample.known),
        }
        for sample, p in zip(samples, probabilities, strict=True)
    ]


def evaluate(samples: list[Sample], probabilities: list[np.ndarray], progress: bool = False) -> dict:
    """Return what metrics.json holds: the mean of each measure, `images`, and `best_over_thresholds`.

    The cells of the proposal are the 4-connected components of what is not class 0. Those of the truth are its
    instances where there are any; otherwise they are the components of the truth, and there is no `seg`.

    Parameters
    ----------
    samples : not empty
    probabilities : arrays, (K, H, W) each
    progress : bool
        Show a progress bar by images.

    Returns
    -------
    evaluation : dict
        `images` has one row per sample: its name and its measures. A measure is NaN if the truth has no cell to compare
        with; such an image is left out of the mean. `best_over_thresholds` is for all images together; see the function
        of that name.
    """
    rows = pixel_errors(samples, probabilities)  # which checks both
    probabilities = [as_array(p, "probabilities") for p in probabilities]
    rows_with_bar = ProgressBar(rows, unit="image", disable=None if progress else True, leave=False)
    for row, sample, p in zip(rows_with_bar, samples, probabilities, strict=True):
        row.update(_slow_measures(sample, p))
    true_cells = [_true_cells(sample) for sample in samples]
    knowns = [sample.known for sample in samples]
    with_seg = all(sample.instances is not None for sample in samples)
    best = best_over_thresholds(true_cells, [1 - p[0] for p in probabilities], knowns, progress, with_seg)
    return {**mean(rows), "images": rows, "best_over_thresholds": best}


def mean(rows: list[dict]) -> dict:
    """Return the mean of each measure over the rows that have it as a number; NaN if none does."""
    names = dict.fromkeys(name for row in rows for name in row if name != "name")
    return {name: mean_of_numbers([row.get(name, math.nan) for row in rows]) for name in names}


def _slow_measures(sample: Sample, p: np.ndarray) -> dict:
    """Return the measures that take longer, for one image and its probabilities (K, H, W)."""
    truth, proposal, known = sample.labels > 0, p.argmax(axis=0) > 0, sample.known
    true_cells, cells = _true_cells(sample), components(proposal)
    measures = {
        "pixel_error_f_score": pixel_error_f_score(truth, proposal, known),
        "v_rand": v_rand(true_cells, cells, known),
        "v_info": v_info(true_cells, cells, known),
        "warping_error": warping_error(truth, proposal, 1 - p[0], known),
        "iou": iou(truth, proposal, known),
    }
    return measures if sample.instances is None else {**measures, "seg": seg_score(true_cells, cells, known)}


def _true_cells(sample: Sample) -> np.ndarray:
    return components(sample.labels > 0) if sample.instances is None else sample.instances
