"""The best threshold, as the EM challenge chooses it: one for all slices, by the mean of the score over the slices.

At a threshold t, the probability p of cell is turned into cells in two ways:

    plain    the 4-connected components of  p > t
    thinned  the same, grown by a watershed until they meet, so that borders have no width

Plain scores depend on how broad the predicted borders are, thinned scores do not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minunet.backend import as_array, as_list, check_finite
from minunet.errors import InputError
from minunet.metrics.contingency import contingency
from minunet.metrics.pixels import pixel_error, pixel_error_f_score
from minunet.metrics.regions import components, watershed
from minunet.metrics.seg import cell_count, pooled_seg, seg_score
from minunet.metrics.v_rand_v_info import info_scores_of, rand_scores_of
from minunet.progress import ProgressBar

THRESHOLDS = tuple(k / 10 for k in range(10))  # 0, 0.1, ..., 0.9: p > 1 would find no cell
SMALLEST_IS_BEST = ("pixel_error", "pixel_error_f_score")  # of all other scores, the largest is best


def best_over_thresholds(
    truths: list[np.ndarray],
    probabilities: list[np.ndarray],
    knowns: list[np.ndarray | None] | None = None,
    progress: bool = False,
    with_seg: bool = False,
    seg_truths: list[np.ndarray] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, dict[str, float]]:
    """Return the best mean over the images of each score, and its threshold.

    Parameters
    ----------
    truths : integer arrays, (H, W) each
        One number per cell, 0 for background.
    probabilities : arrays, (H, W) each
        The probability of cell.
    knowns : boolean arrays, (H, W) each, or None, optional
        Pixels where it is False are left out.
    progress : bool
        Show a progress bar by images.
    with_seg : bool
        Add SEG of the plain cells. It needs true instances; the components of a binary truth are not enough. It is
        over the cells of all images together, and over all pixels, known or not, as in the Cell Tracking Challenge.
    seg_truths : integer arrays, (H, W) each, optional
        The cells for SEG, where they are not those of `truths`, which may be cut apart where they touch.
    thresholds : numbers
        Those that are tried, the lowest first.

    Returns
    -------
    best : dict
        ``{"v_rand": {"score": 0.97, "threshold": 0.6}, ...}`` for pixel_error, pixel_error_f_score (the smallest), and
        v_rand, v_info, v_rand_thinned, v_info_thinned and seg (the largest). The score is NaN if no image has a cell.
        Of equal scores, the lowest threshold is named.

    Raises
    ------
    InputError
        If there is no image, or as `pixel_error` and `v_rand` do.
    """
    truths, probabilities = as_list(truths, "truths"), as_list(probabilities, "probabilities")
    if not truths:
        raise InputError("truths must hold at least one image, got none; pass a list of label images")
    knowns = [None] * len(truths) if knowns is None else as_list(knowns, "knowns")
    seg_cells = truths if seg_truths is None else as_list(seg_truths, "seg_truths")
    counts = len(truths), len(probabilities), len(knowns), len(seg_cells)
    if len(set(counts)) > 1:
        raise InputError(f"truths, probabilities and knowns must be of one length, got {counts}; give one per image")
    images = list(zip(truths, probabilities, knowns, seg_cells if with_seg else [None] * len(truths), strict=True))
    options: dict[str, Any] = {"desc": "trying thresholds", "unit": "image", "disable": None if progress else True}
    images_with_bar = ProgressBar(images, leave=False, **options)
    scores = [
        [_scores(truth, p, known, threshold, cells) for threshold in thresholds]
        for truth, p, known, cells in images_with_bar
    ]
    cell_counts = [cell_count(cells) for cells in seg_cells] if with_seg else []
    best = {}
    for name in scores[0][0]:
        columns = [[rows[t][name] for rows in scores] for t in range(len(thresholds))]
        by_threshold = [pooled_seg(c, cell_counts) if name == "seg" else mean_of_numbers(c) for c in columns]
        t = int(np.argmin(by_threshold) if name in SMALLEST_IS_BEST else np.argmax(by_threshold))
        best[name] = {"score": by_threshold[t], "threshold": thresholds[t]}
    return best


def _scores(truth, probability, known, threshold: float, seg_truth) -> dict[str, float]:
    """Return all scores of one image at one threshold."""
    truth, probability = as_array(truth, "truth"), as_array(probability, "probability")
    check_finite(probability, "probability")
    probability = probability + 0.0  # of booleans there is no negative
    if truth.shape != probability.shape:
        raise InputError(
            f"probability must have the shape of the truth, {truth.shape}, got {probability.shape}; pass that of "
            "cell only"
        )
    cell = probability > threshold
    plain = components(cell)
    thinned = watershed(-probability, plain)
    plain_table = contingency(truth, plain, known)
    thinned_table = contingency(truth, thinned, known)
    scores = {
        "pixel_error": pixel_error(truth > 0, cell, known),
        "pixel_error_f_score": pixel_error_f_score(truth > 0, cell, known),
        "v_rand": rand_scores_of(plain_table).f_score,
        "v_info": info_scores_of(plain_table).f_score,
        "v_rand_thinned": rand_scores_of(thinned_table).f_score,
        "v_info_thinned": info_scores_of(thinned_table).f_score,
    }
    return scores if seg_truth is None else {**scores, "seg": seg_score(seg_truth, plain)}


def mean_of_numbers(scores: list[float]) -> float:
    """Return the mean of the scores that are numbers, NaN if none is."""
    numbers = [score for score in scores if not np.isnan(score)]
    return float(np.mean(numbers)) if numbers else float("nan")
