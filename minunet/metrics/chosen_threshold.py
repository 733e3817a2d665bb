"""The threshold that suits a network: found on images with a known truth, and stored with the network.

    choose   of 0.05, 0.10, ..., 0.95, the one with the smallest pixel error; of equal ones, that nearest to 0.5
    keep     0.5 unless the error at 0.5 is larger for certain: by CERTAIN standard errors, and by WORTH_IT of it

The standard error is that of the difference between images or, where these are fewer than MANY, between their quarters.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import is_number, to_host
from minunet.data.sample import Sample
from minunet.errors import InputError, shown

HALF = 0.5
GRID = np.arange(1, 20) / 20
CERTAIN = 3.0  # standard errors: the best of many thresholds is by chance some of them better
WORTH_IT = 0.02  # of the pixel error
MANY = 8  # images, whose errors show how far they scatter


class Choice(NamedTuple):
    """A threshold, and what it is worth."""

    threshold: float
    error: float  # the mean pixel error of the images, with this threshold
    error_at_half: float  # and with 0.5

    def in_words(self, images: str) -> str:
        """Return the choice as a line; `images` says on which images it was made, such as "5 held-out images"."""
        if self.threshold == HALF:
            return f"threshold {HALF}: on {images}, no other is better for certain"
        return (
            f"threshold {self.threshold:.2f}: on {images}, the pixel error is {self.error:.4f} with it, and "
            f"{self.error_at_half:.4f} with {HALF}"
        )


def check_threshold(threshold: Any) -> None:
    """Raise InputError unless this is a threshold of a probability: a number above 0 and below 1."""
    if not is_number(threshold) or not 0 < threshold < 1:
        raise InputError(f"threshold must be a number above 0 and below 1, got {shown(threshold)}; {HALF} is usual")


def choose_threshold(samples: list[Sample], probabilities: list[np.ndarray]) -> Choice:
    """Return the threshold of the probability of cell that suits these images; with more than two classes, 0.5.

    Parameters
    ----------
    samples : not empty
    probabilities : arrays, (K, H, W) each
    """
    wrong, count = map(np.stack, zip(*map(_by_quarters, samples, probabilities), strict=True))
    # wrong (images, quarters, thresholds), count (images, quarters)
    of_images = wrong.sum(axis=1) / count.sum(axis=1)[:, None]
    errors = of_images.mean(axis=0)  # of each threshold
    half = int(np.flatnonzero(GRID == HALF)[0])
    best = min(range(len(GRID)), key=lambda i: (errors[i], abs(i - half)))
    parts = of_images if len(samples) >= MANY else wrong[count > 0] / count[count > 0][:, None]
    gains = parts[:, half] - parts[:, best]
    gain = errors[half] - errors[best]
    scatter = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    is_two_classes = all(len(p) == 2 for p in probabilities)
    if not is_two_classes or gain <= CERTAIN * scatter or gain < WORTH_IT * errors[half]:
        best = half
    return Choice(float(GRID[best]), float(errors[best]), float(errors[half]))


def _by_quarters(sample: Sample, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each quarter of an image, how many pixels each threshold gets wrong (4, thresholds), of how many."""
    p = to_host(probabilities[1] if len(probabilities) == 2 else 1 - probabilities[0])
    truth = to_host(sample.labels) > 0
    known = np.ones(truth.shape, bool) if sample.known is None else to_host(sample.known)
    H, W = truth.shape
    wrong, count = np.zeros((4, len(GRID)), int), np.zeros(4, int)
    for i in range(4):
        rows, columns = ((slice(n // 2), slice(n // 2, None))[side] for n, side in ((H, i // 2), (W, i % 2)))
        inside = known[rows, columns]
        count[i] = np.count_nonzero(inside)
        passed = np.searchsorted(GRID, p[rows, columns][inside])  # thresholds below p: it is above them
        is_cell = truth[rows, columns][inside]
        cells, others = (np.bincount(passed[which], minlength=len(GRID) + 1) for which in (is_cell, ~is_cell))
        wrong[i] = np.cumsum(cells)[:-1] + others.sum() - np.cumsum(others)[:-1]  # missed cells, and false alarms
    return wrong, count
