"""The best threshold, as the EM challenge chooses it: one for all slices, by the mean of the score over the slices.

A slice gives way to cells at a threshold t in two manners:

    plain    the 4-connected components of  p > t
    thinned  these grow downhill in p until they meet, by a watershed: borders are then one pixel thin or less

Plain scores depend on how broad the predicted borders are, thinned ones do not.
"""

import numpy as np
from tqdm import tqdm

from minunet.errors import InputError
from minunet.metrics.contingency import contingency
from minunet.metrics.pixels import pixel_error, pixel_error_f_score
from minunet.metrics.regions import components, watershed
from minunet.metrics.seg import seg_score_of
from minunet.metrics.v_rand_v_info import info_scores_of, rand_scores_of

THRESHOLDS = tuple(k / 10 for k in range(10))  # 0, 0.1, ..., 0.9: p > 1 would find no cell


def best_over_thresholds(
    truths: list[np.ndarray],
    probabilities: list[np.ndarray],
    knowns: list[np.ndarray | None] | None = None,
    progress: bool = False,
    with_seg: bool = False,
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
        SEG of the plain cells, too. It is a measure of true instances, not of the components of a binary truth.

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
    if not len(truths):
        raise InputError("truths must hold at least one image, got none; pass a list of label images")
    knowns = [None] * len(truths) if knowns is None else knowns
    images = zip(truths, probabilities, knowns, strict=True)
    images = tqdm(images, total=len(truths), unit="image", disable=None if progress else True, leave=False)
    scores = [[_scores(*image, threshold, with_seg) for threshold in THRESHOLDS] for image in images]
    best = {}
    for name in scores[0][0]:
        by_threshold = [mean_of_numbers([rows[t][name] for rows in scores]) for t in range(len(THRESHOLDS))]
        signed = np.array(by_threshold) * (-1 if "error" in name else 1)
        t = int(signed.argmax())
        best[name] = {"score": by_threshold[t], "threshold": THRESHOLDS[t]}
    return best


def _scores(truth, probability, known, threshold: float, with_seg: bool) -> dict[str, float]:
    """Return all scores of one image at one threshold."""
    cell = probability > threshold
    plain = components(cell)
    table, thinned = (contingency(truth, labels, known) for labels in (plain, watershed(-probability, plain)))
    scores = {
        "pixel_error": pixel_error(truth > 0, cell, known),
        "pixel_error_f_score": pixel_error_f_score(truth > 0, cell, known),
        "v_rand": rand_scores_of(table).f_score,
        "v_info": info_scores_of(table).f_score,
        "v_rand_thinned": rand_scores_of(thinned).f_score,
        "v_info_thinned": info_scores_of(thinned).f_score,
    }
    return {**scores, "seg": seg_score_of(table)} if with_seg else scores


def mean_of_numbers(scores: list[float]) -> float:
    """Return the mean of the scores that are numbers, NaN if none is."""
    numbers = [score for score in scores if not np.isnan(score)]
    return float(np.mean(numbers)) if numbers else float("nan")
