"""The exercises of notebook 18: Dice and its gradient, calibration, seeds for the watershed, and SEG."""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array
from minunet.course import seg
from minunet.course.exercise import Exercise
from minunet.layers.loss import softmax_cross_entropy_forward
from minunet.metrics import components

FOUR_CELLS, PROPOSED = seg.FOUR_CELLS, seg.PROPOSED  # the notebook counts their pixels
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


def dice_with_smoothing(p, truth):
    return 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)


def dice_of_squares(p, truth):
    return 1 - 2 * (p * truth).sum() / ((p**2).sum() + (truth**2).sum())


def loss_of_iou(p, truth):
    dice = dice_itself(p, truth)
    return 1 - dice / (2 - dice)


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


def calibration_without_one(p, truth, bins):
    return calibration_error(p[p < 1], truth[p < 1], bins) * (p < 1).mean()


def calibration_without_zero(p, truth, bins):
    return calibration_error(p[p > 0], truth[p > 0], bins) * (p > 0).mean()


def calibration_of_the_middles(p, truth, bins):
    middles = (np.minimum((p * bins).astype(int), bins - 1) + 0.5) / bins
    return calibration_error(middles, truth, bins)


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


def cache_of(*shape: int) -> DiceCache:
    labels = rng.integers(0, 2, (shape[0], *shape[2:]))
    return dice_forward(rng.normal(size=shape), labels)[1]


P_OF_CELL = np.array([[4, 4, 2], [1, 2, 3]]) / 4
TRUTH = np.array([[1, 1, 0], [0, 0, 1]])
THREE_PIECES = np.array([[9, 6, 9, 1, 0], [0, 1, 1, 0, 6], [8, 0, 1, 0, 7], [1, 0, 0, 1, 0]]) / 10
EIGHT_P = np.array([[1, 2, 3, 6], [7, 8, 9, 10]]) / 10
EIGHT_TRUTHS = np.array([[1, 0, 0, 1], [1, 0, 1, 0]])

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
            "nothing is added to the overlap or to the totals here, as some libraries do": dice_with_smoothing,
            "the totals are plain sums: V-Net's Dice has squares there, and is another loss": dice_of_squares,
            "that is IoU: Dice counts the overlap twice above, and takes nothing away below": loss_of_iou,
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
            (np.array([[0, 0, 1], [0.7, 0.7, 1]]), np.array([[0, 1, 1], [1, 1, 0]]), 4),
        ),
        mistakes={
            "a bin counts by its number of pixels: weigh the gaps": calibration_of_equal_bins,
            "gaps above and below must not cancel: take each by its magnitude": calibration_with_signs,
            "compare bin by bin: a single pixel is 0 or 1, and can't show a share": calibration_of_pixels,
            "a p of exactly 1 belongs to the last bin": calibration_without_one,
            "a p of exactly 0 belongs to the first bin": calibration_without_zero,
            "the gap is to the mean of the p in the bin, and not to the bin's middle": calibration_of_the_middles,
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
    *seg.EXERCISES,
]
