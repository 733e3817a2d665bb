"""How touching cells are told apart (see `touching.py`): found on images with a known truth, stored with the network.

    choose   of SPLITS, the one with the best cells: by SEG where the data tell one cell from another, else by V_rand;
             of equal ones the largest, which splits least

Nuclei and cells of a slice are best with a small one. Of vessels, which are less sure here and there, it would make
pieces: there 1 is best, which splits nothing.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.data.sample import Sample
from minunet.metrics.cells import cells_of_any_class, classes_of
from minunet.metrics.evaluation import seg_truth, true_cells
from minunet.metrics.seg import cell_count, pooled_seg, seg_score
from minunet.metrics.thresholds import mean_of_numbers
from minunet.metrics.touching import SPLIT
from minunet.metrics.v_rand_v_info import v_rand

NOTHING = 1.0  # is split
SPLITS = (SPLIT, 0.2, 0.3, NOTHING)


class SplitChoice(NamedTuple):
    """A fall of the probability that makes two cells of one, and what it is worth."""

    split: float
    measure: str  # SEG or V_rand
    scores: dict[float, float]  # with each of SPLITS

    def in_words(self, images: str) -> str:
        """Return the choice as a line; `images` says on which images it was made, such as "5 held-out images"."""
        if math.isnan(self.scores[self.split]):
            return f"split {self.split:g}, the usual one; {images} without a cell do not tell which is best"
        other = SPLIT if self.split == NOTHING else NOTHING
        score, other_score = (f"{self.scores[split]:.3f}" for split in (self.split, other))
        if self.split == NOTHING:
            how, other_how = "stay one", f"if {other:g} is enough"
        else:
            how, other_how = f"are told apart where the probability falls by {self.split:g}", "where they are one"
        return (
            f"split {self.split:g}: cells that touch {how}; on {images}, {self.measure} is {score} so, and "
            f"{other_score} {other_how}"
        )


def choose_split(samples: list[Sample], probabilities: list[np.ndarray], threshold: float) -> SplitChoice:
    """Return the split that suits these images, which must not be none, and their probabilities (K, H, W)."""
    with_seg = all(seg_truth(sample) is not None for sample in samples)
    score = _seg if with_seg else _v_rand
    pairs = [(classes_of(p, threshold), p) for p in probabilities]
    scores = {
        split: score(samples, [cells_of_any_class(classes, p, threshold, split) for classes, p in pairs])
        for split in SPLITS
    }
    numbers = {split: value for split, value in scores.items() if not math.isnan(value)}
    best = max(numbers, key=lambda split: (numbers[split], split), default=SPLIT)
    return SplitChoice(best, "SEG" if with_seg else "V_rand", scores)


def _seg(samples: list[Sample], cells: list[np.ndarray]) -> float:
    truths = [truth for truth in map(seg_truth, samples) if truth is not None]
    found = [seg_score(truth, labels) for truth, labels in zip(truths, cells, strict=True)]
    return pooled_seg(found, [cell_count(truth) for truth in truths])


def _v_rand(samples: list[Sample], cells: list[np.ndarray]) -> float:
    pairs = zip(samples, cells, strict=True)
    return mean_of_numbers([v_rand(true_cells(sample), labels, sample.known) for sample, labels in pairs])
