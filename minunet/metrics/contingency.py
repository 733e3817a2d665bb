"""How many pixels each label of the truth shares with each label of the proposal.

Two segmentations of a slice have some hundred labels each, and nearly all pairs of labels share no pixel. So the table
is a list of the pairs that occur, not a matrix. A pair is one number, i * (largest j + 1) + j, and np.unique counts
these numbers.
"""

from typing import NamedTuple

import numpy as np

from minunet.metrics.checks import label_pair


class Contingency(NamedTuple):
    """Row r says: label i[r] of the truth and label j[r] of the proposal share counts[r] pixels."""

    i: np.ndarray  # (pairs,) int64, 0 is background
    j: np.ndarray  # (pairs,) int64, 0 is background
    counts: np.ndarray  # (pairs,) int64, at least 1


def contingency(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> Contingency:
    """Return the pairs of labels of two label images, background included; raises as `label_pair` does."""
    i, j = label_pair(truth, proposal, known)
    base = j.max() + 1
    pairs, counts = np.unique(i * base + j, return_counts=True)
    return Contingency(*np.divmod(pairs, base), counts)


def totals(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sum of the values of each label that occurs, in the order of the labels."""
    return np.bincount(np.unique(labels, return_inverse=True)[1], values)
