"""V_rand and V_info of the EM challenge: do the pixels that belong together in the truth do so in the proposal?

Over the n pixels that the truth gives a cell (border pixels are not judged):

    p_ij = share of pixels with label i in the truth and j in the proposal
    a_i  = sum_{j>=0} p_ij       b_j = sum_i p_ij, j >= 1       z = sum_i p_i0

z is the share that the proposal calls background: each of these pixels counts as a cell of its own, of size 1/n.

    S_A  = sum a_i**2     S_B = sum b_j**2 + z/n           S_AB = sum_{i,j>=1} p_ij**2 + z/n
    H_A  = -sum a_i ln a_i    H_B = -sum b_j ln b_j + z ln n    H_AB = -sum_{i,j>=1} p_ij ln p_ij + z ln n
    I    = H_A + H_B - H_AB

    V_rand = 2 S_AB / (S_A + S_B)      precision S_AB / S_B    recall S_AB / S_A
    V_info = 2 I / (H_A + H_B)         precision I / H_B       recall I / H_A

For V_rand, merged cells lower the precision and split cells lower the recall. For V_info it is the other way round:
splits add information that is not in the truth, merges lose some that is.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.metrics.contingency import Contingency, contingency, totals


class PairScores(NamedTuple):
    """All from 0 to 1, 1 is best; `error` is 1 - f_score. All are NaN if the truth has no cell."""

    f_score: float  # V_rand or V_info
    precision: float
    recall: float
    error: float  # of V_rand: the challenge's Rand error


NOTHING_TO_JUDGE = PairScores(math.nan, math.nan, math.nan, math.nan)


def v_rand(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return the foreground-restricted Rand F-score of two label images, 0 to 1; 1 is best.

    Parameters
    ----------
    truth, proposal : integer array, (H, W)
        One number per cell, 0 for background; the order of the numbers does not matter. For a binary image, label the
        4-connected components first.
    known : boolean array, (H, W), optional
        Pixels where it is False are left out.

    Returns
    -------
    float
        NaN if the truth has no cell, since there is nothing to compare then.

    Raises
    ------
    InputError
        If the shapes differ, no pixel is known, or labels are not whole numbers from 0 on.
    """
    return rand_scores(truth, proposal, known).f_score


def rand_scores(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> PairScores:
    """Return V_rand with its precision and recall, and the Rand error; arguments as for `v_rand`."""
    return rand_scores_of(contingency(truth, proposal, known))


def v_info(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> float:
    """Return the foreground-restricted information F-score, 0 to 1; 1 is best; arguments as for `v_rand`."""
    return info_scores(truth, proposal, known).f_score


def info_scores(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> PairScores:
    """Return V_info with its precision and recall; arguments as for `v_rand`."""
    return info_scores_of(contingency(truth, proposal, known))


def rand_scores_of(table: Contingency) -> PairScores:
    """Return what `rand_scores` returns, from a table as made by `contingency`."""
    p, a, b, z, n = pixel_shares(table)
    S_A, S_B, S_AB = (a**2).sum(), (b**2).sum() + z / n, (p**2).sum() + z / n
    return _pair_scores(S_AB, S_A, S_B) if len(a) else NOTHING_TO_JUDGE


def info_scores_of(table: Contingency) -> PairScores:
    """Return what `info_scores` returns, from a table as made by `contingency`."""
    p, a, b, z, n = pixel_shares(table)
    singletons = z * math.log(n)
    H_A, H_B, H_AB = _entropy(a), _entropy(b) + singletons, _entropy(p) + singletons
    return _pair_scores(H_A + H_B - H_AB, H_A, H_B) if len(a) else NOTHING_TO_JUDGE


def pixel_shares(table: Contingency) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, int]:
    """Return p (pairs with j >= 1,), a (labels of the truth,), b (labels of the proposal,), z and n.

    Without a cell in the truth n would be 0; it is 1 then, so that nothing is divided by 0.
    """
    is_true_cell = table.i > 0
    i, j, counts = table.i[is_true_cell], table.j[is_true_cell], table.counts[is_true_cell]
    n = max(1, int(counts.sum()))
    is_cell = j > 0
    p = counts[is_cell] / n
    a = totals(i, counts) / n
    b = totals(j[is_cell], counts[is_cell]) / n
    z = counts[~is_cell].sum() / n
    return p, a, b, z, n


def _entropy(shares: np.ndarray) -> float:
    return -(shares * np.log(shares)).sum()


def _pair_scores(common: float, of_truth: float, of_proposal: float) -> PairScores:
    f_score = _ratio(2 * common, of_truth + of_proposal)
    return PairScores(f_score, _ratio(common, of_proposal), _ratio(common, of_truth), 1 - f_score)


def _ratio(part: float, whole: float) -> float:
    """Return part / whole, clipped to 0 and 1 because of rounding; 1 if both are 0."""
    return float(np.clip(part / whole, 0, 1)) if whole else 1.0
