"""SEG of the Cell Tracking Challenge: how well is each cell of the truth covered by one cell of its own?

    R matches S  iff  |R and S| > |R| / 2           (so R matches one S at most)
    SEG = mean over the cells R of the truth of  |R and S| / |R or S|,  0 for a cell without a match

Two cells that the proposal merges match the same object, and each counts by its share of that object only, a half on
average: nearly touching cells that grow together cost much here, and next to nothing in the pixel error.

The challenge takes the mean over the cells of all frames together, not the mean of the frames' means: `pooled_seg`.
"""

import math

import numpy as np

from minunet.metrics.contingency import contingency


def seg_score(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return the mean IoU of the cells of the truth with their matches, 0 to 1; 1 is best.

    Parameters
    ----------
    truth, proposal : integer array, (H, W)
        One number per cell, 0 for background.
    known : boolean array, (H, W), optional
        Pixels where it is False are left out.

    Returns
    -------
    float
        NaN if the truth has no cell.

    Raises
    ------
    InputError
        If the shapes differ, no pixel is known, or labels are not whole numbers from 0 on.
    """
    return seg_score_of(contingency(truth, proposal, known))


def pooled_seg(scores: list[float], cells: list[int]) -> float:
    """Return SEG over the cells of all images, as the challenge has it, from that of each image and its cells."""
    total = sum(cells)
    return float(sum(score * n for score, n in zip(scores, cells, strict=True) if n) / total) if total else math.nan


def cell_count(truth: np.ndarray) -> int:
    """Return how many cells a label image has."""
    return int(np.count_nonzero(np.unique(truth)))


def seg_score_of(table: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """Return SEG of a table as from `contingency`."""
    i, j, common = table
    truth_areas, proposal_areas = (_areas(labels, common) for labels in (i, j))  # (pairs,)
    matched = (i > 0) & (j > 0) & (2 * common > truth_areas)
    ious = common / (truth_areas + proposal_areas - common)
    cells = np.count_nonzero(np.unique(i))
    return float(ious[matched].sum() / cells) if cells else math.nan


def _areas(labels: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Return the number of pixels of the label of each pair."""
    _, place = np.unique(labels, return_inverse=True)
    return np.bincount(place, common)[place]
