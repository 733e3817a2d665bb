"""SEG, as notebook 18 works it out by hand, and its exercise."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.metrics import seg_score

rng = np.random.default_rng(181)


def seg(truth, proposal):
    return seg_score(truth, proposal)


def _overlaps(truth, proposal):
    """Yield the share of each true cell that each proposed one covers, their IoU, and the number of the true cell."""
    for i in np.unique(truth[truth > 0]):
        for j in np.unique(proposal[proposal > 0]):
            R, S = truth == i, proposal == j
            yield (R & S).sum() / R.sum(), (R & S).sum() / (R | S).sum(), i


def seg_of_matches_alone(truth, proposal):
    return np.mean([iou for share, iou, _ in _overlaps(truth, proposal) if share > 0.5])


def seg_with_half_a_cell(truth, proposal):
    cells = np.unique(truth[truth > 0])
    return sum(iou for share, iou, _ in _overlaps(truth, proposal) if share >= 0.5) / len(cells)


def seg_without_a_majority(truth, proposal):
    cells = np.unique(truth[truth > 0])
    return np.mean([max(iou for _, iou, i in _overlaps(truth, proposal) if i == cell) for cell in cells])


def seg_of_shares(truth, proposal):
    cells = np.unique(truth[truth > 0])
    return sum(share for share, _, _ in _overlaps(truth, proposal) if share > 0.5) / len(cells)


FOUR_CELLS = np.array([[1, 1, 1, 0, 2, 2, 0], [1, 1, 1, 0, 2, 2, 0], [3, 3, 0, 0, 4, 4, 4]])
PROPOSED = np.array([[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0, 0], [0, 5, 0, 0, 0, 0, 6]])
SIX_BLOCKS = np.kron(np.arange(6).reshape(2, 3), np.ones((3, 4), int))  # (6, 12), cells of 3x4
THREE_BLOCKS = np.kron(np.diag([1, 2, 3]), np.ones((2, 4), int))  # (6, 12), cells of 2x4

EXERCISES = [
    Exercise(
        "seg",
        solution=seg,
        outputs=("score",),
        args=(FOUR_CELLS, PROPOSED),
        more=(
            (rng.integers(0, 3, (5, 6)), rng.integers(0, 3, (5, 6))),
            (SIX_BLOCKS, THREE_BLOCKS),
            (FOUR_CELLS, np.zeros((3, 7), int)),
        ),
        ready_made=("seg_score",),
        mistakes={
            "a cell without a match counts 0 in the mean": seg_of_matches_alone,
            "half of a cell is no match: more than half": seg_with_half_a_cell,
            "a match must cover more than half of the true cell; otherwise the cell counts 0": seg_without_a_majority,
            "that is the share of the cell that is covered; divide by all pixels of both instead": seg_of_shares,
        },
        hint="for one true cell: which proposed cell covers more than half of it, and what is the IoU of the two?",
    ),
]
