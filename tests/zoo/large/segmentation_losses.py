"""Losses of segmentation: dice, Tversky and focal."""

from functools import partial

import numpy as np
from scipy.special import expit

from zoo.large.layer import Layer, Wrong, scaled

rng = np.random.default_rng(39)
normal = rng.standard_normal
truth = rng.integers(0, 2, (2, 3, 4)).astype(np.int64)
probability = rng.random((2, 3, 4))
SMOOTH = 1.0
GAMMA, BALANCE = 2.0, 0.25  # focal loss
ALPHA, BETA = 0.3, 0.7  # Tversky: the prices of false positives and of false negatives


def dice_forward(p, truth):
    overlap, total = (p * truth).sum(axis=(1, 2)), p.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    return 1 - ((2 * overlap + SMOOTH) / (total + SMOOTH)).mean(), (truth, overlap, total)


def dice_backward(dloss, cache, top=2.0, bottom=1.0, smooth=SMOOTH):
    truth, overlap, total = cache[0], cache[1][:, None, None], cache[2][:, None, None] + smooth
    return -dloss / len(truth) * (top * truth / total - bottom * (2 * overlap + smooth) / total**2)


dice = Layer(
    "dice loss",
    dice_forward,
    dice_backward,
    (probability, truth),
    {
        "takes the total for a constant": Wrong("p", partial(dice_backward, bottom=0)),
        "forgets the 2": Wrong("p", partial(dice_backward, top=1)),
        "forgets the smoothing": Wrong("p", partial(dice_backward, smooth=0)),
        "sums over the batch": Wrong("p", scaled(dice_backward, 2)),
    },
)


def tversky_forward(p, truth):
    hit, false, missed = (p * truth).sum(), (p * (1 - truth)).sum(), ((1 - p) * truth).sum()
    bottom = hit + ALPHA * false + BETA * missed + SMOOTH
    return 1 - (hit + SMOOTH) / bottom, (truth, hit + SMOOTH, bottom)


def tversky_backward(dloss, cache, alpha=ALPHA, beta=BETA):
    truth, top, bottom = cache
    dbottom = truth + alpha * (1 - truth) - beta * truth
    return -dloss * (truth * bottom - top * dbottom) / bottom**2


tversky = Layer(
    "Tversky loss",
    tversky_forward,
    tversky_backward,
    (probability, truth),
    {
        "swaps alpha and beta": Wrong("p", partial(tversky_backward, alpha=BETA, beta=ALPHA)),
        "has the sign of the missed wrong": Wrong("p", partial(tversky_backward, beta=-BETA), region=truth == 1),
        "forgets the false alarms": Wrong("p", partial(tversky_backward, alpha=0), region=truth == 0),
    },
)


def focal_forward(logits, truth):
    sign = 2 * truth - 1
    p = expit(sign * logits)  # of what is true
    weight = np.where(truth == 1, BALANCE, 1 - BALANCE)
    return -(weight * (1 - p) ** GAMMA * np.log(p)).mean(), (sign, p, weight)


def focal_backward(dloss, cache, power=GAMMA, modulated=1.0):
    sign, p, weight = cache
    slope = modulated * power * (1 - p) ** (power - 1) * np.log(p) - (1 - p) ** power / p
    return dloss / p.size * weight * slope * p * (1 - p) * sign


focal = Layer(
    "focal loss",
    focal_forward,
    focal_backward,
    (normal((2, 3, 4)), truth),
    {
        "takes the modulating factor for a constant": Wrong("logits", partial(focal_backward, modulated=0)),
        "has the exponent off by one": Wrong("logits", partial(focal_backward, power=GAMMA - 1)),
        "has the sign of the factor's slope wrong": Wrong("logits", partial(focal_backward, modulated=-1)),
        "weighs the classes alike": Wrong(
            "logits", lambda dloss, c: focal_backward(dloss, (*c[:2], BALANCE)), region=truth == 0
        ),
    },
)

LAYERS = (dice, tversky, focal)
