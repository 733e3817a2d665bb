"""The exercises of notebook 18: Dice and its gradient, calibration, seeds for the watershed, and SEG."""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array
from minunet.course.exercise import Exercise
from minunet.layers.loss import softmax_cross_entropy_forward
from minunet.metrics import components, seg_score

rng = np.random.default_rng(18)


class DiceCache(NamedTuple):
    p: Array  # (N, 2, H, W)
    labels: Array  # (N, H, W) integers, 0 background, 1 cell


def dice_loss(p, truth):
    """Return 1 - Dice of probabilities and a truth of 0 and 1, both of the same shape."""
    return 1 - 2 * (p * truth).sum() / (p.sum() + truth.sum())


def dice_itself(p, truth):
    return 1 - dice_loss(p, truth)


def dice_without_two(p, truth):
    return 1 - dice_itself(p, truth) / 2


def dice_after_a_threshold(p, truth):
    return dice_loss((p > 0.5).astype(float), truth)


def dice_forward(logits, labels):
    """Return the Dice loss of two classes' logits (N, 2, H, W) and labels (N, H, W), and a cache."""
    p = softmax_cross_entropy_forward(logits, np.zeros(labels.shape, int))[1].p
    return dice_loss(p[:, 1], labels), DiceCache(p, labels)


def dice_backward(dloss, cache):
    """Return dlogits, (N, 2, H, W)."""
    p, labels = cache[0][:, 1], cache[1]
    total = p.sum() + labels.sum()
    dice = 2 * (p * labels).sum() / total
    return _through_the_softmax(dloss * (dice - 2 * labels) / total, p)


def _through_the_softmax(dp, p):
    dlogits_of_cell = dp * p * (1 - p)
    return np.stack([-dlogits_of_cell, dlogits_of_cell], axis=1)


def dice_gradient_of_a_constant_total(dloss, cache):
    p, labels = cache[0][:, 1], cache[1]
    return _through_the_softmax(dloss * -2 * labels / (p.sum() + labels.sum()), p)


def dice_gradient_at_the_probabilities(dloss, cache):
    p = cache[0]
    return dice_backward(dloss, cache) / (p[:, :1] * p[:, 1:])


def dice_gradient_of_cell_alone(dloss, cache):
    return dice_backward(dloss, cache) * np.array([0, 1])[:, None, None]


def dice_gradient_without_dloss(dloss, cache):
    return dice_backward(1.0, cache)


def dice_gradient_of_the_wrong_sign(dloss, cache):
    return -dice_backward(dloss, cache)


def calibration_error(p, truth, bins):
    """Return the mean gap between probability and share of truth, over bins of equal width, weighted by pixels."""
    return sum(abs(gap) * count for gap, count in _gaps(p, truth, bins)) / p.size


def _gaps(p, truth, bins):
    """Yield (mean of p - share of truth, number of pixels) of each bin that is not empty."""
    number = np.minimum((p * bins).astype(int), bins - 1)
    for b in np.unique(number):
        inside = number == b
        yield p[inside].mean() - truth[inside].mean(), inside.sum()


def calibration_of_equal_bins(p, truth, bins):
    return np.mean([abs(gap) for gap, _ in _gaps(p, truth, bins)])


def calibration_with_signs(p, truth, bins):
    return sum(gap * count for gap, count in _gaps(p, truth, bins)) / p.size


def calibration_of_pixels(p, truth, bins):
    return np.abs(p - truth).mean()


def seeds(p, threshold, seed_threshold):
    """Return True where the watershed begins: the sure pixels, and each piece that has no sure pixel."""
    pieces = components(p > threshold)
    sure = p > seed_threshold
    without = (pieces > 0) & ~np.isin(pieces, pieces[sure])
    return sure | without


def seeds_of_sure_pixels_alone(p, threshold, seed_threshold):
    return p > seed_threshold


def seeds_of_every_piece(p, threshold, seed_threshold):
    return p > threshold


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


def cache_of(*shape: int) -> DiceCache:
    labels = rng.integers(0, 2, (shape[0], *shape[2:]))
    return dice_forward(rng.normal(size=shape), labels)[1]


P_OF_CELL = np.array([[4, 4, 2], [1, 2, 3]]) / 4
TRUTH = np.array([[1, 1, 0], [0, 0, 1]])
THREE_PIECES = np.array([[9, 6, 9, 1, 0], [0, 1, 1, 0, 6], [8, 0, 1, 0, 7], [1, 0, 0, 1, 0]]) / 10
EIGHT_P = np.array([[1, 2, 3, 6], [7, 8, 9, 10]]) / 10
EIGHT_TRUTHS = np.array([[1, 0, 0, 1], [1, 0, 1, 0]])
FOUR_CELLS = np.array([[1, 1, 1, 0, 2, 2, 0], [1, 1, 1, 0, 2, 2, 0], [3, 3, 0, 0, 4, 4, 4]])
PROPOSED = np.array([[1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0, 0], [0, 5, 0, 0, 0, 0, 6]])
SIX_BLOCKS = np.kron(np.arange(6).reshape(2, 3), np.ones((3, 4), int))  # (6, 12), cells of 3x4
THREE_BLOCKS = np.kron(np.diag([1, 2, 3]), np.ones((2, 4), int))  # (6, 12), cells of 2x4

EXERCISES = [
    Exercise(
        "dice_loss",
        solution=dice_loss,
        outputs=("loss",),
        args=(P_OF_CELL, TRUTH),
        more=(
            (rng.random((4, 5)), rng.integers(0, 2, (4, 5))),
            (rng.random((2, 3, 6)), rng.integers(0, 2, (2, 3, 6))),
            (rng.random((3, 2)), np.zeros((3, 2), int)),
        ),
        mistakes={
            "that is Dice, which is to grow; the loss is 1 - Dice": dice_itself,
            "the factor 2 is missing: a perfect proposal must have the loss 0": dice_without_two,
            "no threshold: take the probabilities as they are, so that there is a gradient": dice_after_a_threshold,
        },
        hint="on paper first: the overlap is the sum of p on the cell; then both totals",
    ),
    Exercise(
        "dice_backward",
        solution=dice_backward,
        outputs=("dlogits",),
        args=(np.array(8.0), DiceCache(np.stack([1 - P_OF_CELL / 2, P_OF_CELL / 2])[None], TRUTH[None])),
        more=((np.array(0.5), cache_of(2, 2, 3, 5)), (np.array(1.0), cache_of(1, 2, 6, 4))),
        pair=(dice_forward, (rng.normal(size=(2, 2, 4, 3)), rng.integers(0, 2, (2, 4, 3)))),
        mistakes={
            "p is in the total, too: (dice - 2 * labels) / total": dice_gradient_of_a_constant_total,
            "that is the gradient of p; the way back goes on through the softmax, p * (1 - p)": (
                dice_gradient_at_the_probabilities
            ),
            "the logit of class 0 has a gradient, too: raising it lowers p": dice_gradient_of_cell_alone,
            "dloss is missing: the loss may be used in something larger": dice_gradient_without_dloss,
            "the sign is wrong: raising p on a cell lowers the loss": dice_gradient_of_the_wrong_sign,
        },
        hint="first dp, (N, H, W), then times p * (1 - p); class 1 gets that, and class 0 its negative",
    ),
    Exercise(
        "calibration_error",
        solution=calibration_error,
        outputs=("error",),
        args=(EIGHT_P, EIGHT_TRUTHS, 2),
        more=(
            (rng.random((6, 7)), rng.integers(0, 2, (6, 7)), 5),
            (rng.random((4, 4)) ** 3, rng.integers(0, 2, (4, 4)), 10),
            (np.ones((2, 3)), np.ones((2, 3), int), 4),
        ),
        mistakes={
            "a bin counts by its number of pixels: weigh the gaps": calibration_of_equal_bins,
            "gaps above and below must not cancel: take each by its magnitude": calibration_with_signs,
            "compare bin by bin: a single pixel is 0 or 1, and can't show a share": calibration_of_pixels,
        },
        hint="for one bin: the mean of p minus the mean of truth there; print both, and the number of pixels",
    ),
    Exercise(
        "seeds",
        solution=seeds,
        outputs=("seeds",),
        args=(THREE_PIECES, 0.5, 0.75),
        more=((rng.random((8, 9)), 0.6, 0.9), (rng.random((5, 12)), 0.3, 0.95), (np.zeros((3, 4)), 0.5, 0.8)),
        mistakes={
            "a piece without a sure pixel is lost: all of it becomes its seed": seeds_of_sure_pixels_alone,
            "where a piece has sure pixels, only these are its seeds": seeds_of_every_piece,
        },
        hint="pieces[sure] lists the numbers of the pieces that have a sure pixel; np.isin asks whose number is in it",
    ),
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
