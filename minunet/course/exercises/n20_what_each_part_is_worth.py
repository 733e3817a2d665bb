"""The exercises of notebook 20: differences in pairs, luck, and a skip with a valve."""

import math
from typing import NamedTuple

import numpy as np

from minunet.backend import Constant
from minunet.course.exercise import Exercise
from minunet.layers.crop_concat import CropConcatCache, crop_concat_backward, crop_concat_forward

rng = np.random.default_rng(20)


def paired_difference(without, complete):
    differences = np.asarray(without) - np.asarray(complete)
    return differences.mean(), differences.min(), differences.max()


def the_other_way_round(without, complete):
    return paired_difference(complete, without)


def sorted_before(without, complete):
    return paired_difference(np.sort(without), np.sort(complete))


def extremes_subtracted(without, complete):
    return without.mean() - complete.mean(), without.min() - complete.min(), without.max() - complete.max()


def chance_of_signs(differences):
    n = len(differences)
    exceptions = min(np.sum(differences > 0), np.sum(differences < 0))
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(exceptions + 1)) / 2**n)


def chance_of_one_direction(differences):
    return chance_of_signs(differences) / 2


def chance_of_exactly(differences):
    n = len(differences)
    return 2 * math.comb(n, min(np.sum(differences > 0), np.sum(differences < 0))) / 2**n


def chance_of_no_exception(differences):
    return 2 / 2 ** len(differences)


class ValveCache(NamedTuple):
    concat: CropConcatCache
    keep: np.ndarray  # (S,), one number for each channel of the skip


def valve_concat_forward(skip, x, keep: Constant):
    """Return [keep * cropped skip, x] along the channels, and the cache; keep is a constant and gets no gradient."""
    y, concat = crop_concat_forward(keep[:, None, None] * skip, x)
    return y, ValveCache(concat, keep)


def valve_concat_backward(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip * cache.keep[:, None, None], dx


def without_the_valve(dy, cache):
    return crop_concat_backward(dy, cache.concat)


def valve_on_x_too(dy, cache):
    dskip, dx = valve_concat_backward(dy, cache)
    return dskip, dx * cache.keep.mean()


def divided_by_the_valve(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    keep = cache.keep[:, None, None]
    return np.divide(dskip, keep, out=np.zeros_like(dskip), where=keep != 0), dx


def valve_case(skip_shape: tuple, x_shape: tuple, keep: list) -> tuple:
    """Return (dy, cache)."""
    y, cache = valve_concat_forward(rng.normal(size=skip_shape), rng.normal(size=x_shape), np.array(keep))
    return rng.integers(-3, 4, y.shape).astype(float), cache


EXERCISES = [
    Exercise(
        "paired_difference",
        solution=paired_difference,
        outputs=("mean", "smallest", "largest"),
        args=(np.array([4.0, 9.0, 5.0]), np.array([10.0, 8.0, 6.0])),
        more=((rng.normal(size=6), rng.normal(size=6)), (rng.normal(size=2), rng.normal(size=2) - 5)),
        mistakes={
            "the sign is turned round: what is worse without the part should be negative": the_other_way_round,
            "the pairs are lost: subtract first, seed by seed, and look for the smallest then": sorted_before,
            "subtract seed by seed first; the smallest of the differences is no difference of the smallest": (
                extremes_subtracted
            ),
        },
        hint="one difference for each seed, without - complete; then their mean, their smallest and their largest",
    ),
    Exercise(
        "chance_of_signs",
        solution=chance_of_signs,
        outputs=("chance",),
        args=(np.array([-2.0, -1.0, 3.0, -4.0]),),
        more=(
            (np.array([-1.0, -2.0, -3.0]),),
            (np.array([1.0, -1.0]),),
            (np.append(-np.ones(2), np.arange(1.0, 8.0)),),
        ),
        mistakes={
            "this is the chance of one direction: the mean might have fallen on either side, so double it": (
                chance_of_one_direction
            ),
            "count the outcomes with fewer exceptions as well: they would have convinced you even more": (
                chance_of_exactly
            ),
            "this is the chance that there is no exception at all: count how many there are": chance_of_no_exception,
        },
        hint="k exceptions among n: of 2**n outcomes math.comb(n, k) have exactly k; sum them from 0 to k, and double",
    ),
    Exercise(
        "valve_concat_backward",
        solution=valve_concat_backward,
        outputs=("dskip", "dx"),
        args=valve_case((1, 2, 4, 4), (1, 1, 2, 2), [0.5, 2.0]),
        more=(valve_case((2, 3, 6, 7), (2, 1, 4, 5), [0.0, 1.0, -0.3]), valve_case((1, 1, 3, 5), (1, 2, 3, 1), [0.7])),
        pair=(
            valve_concat_forward,
            (rng.normal(size=(2, 3, 6, 7)), rng.normal(size=(2, 1, 4, 5)), np.array([0.5, 1.0, 2.0])),
        ),
        mistakes={
            "the valve is missing on the way back: what was multiplied forward is multiplied backward": (
                without_the_valve
            ),
            "x went past the valve, and so does dx": valve_on_x_too,
            "multiply by keep, and don't divide: y = keep * skip has the derivative keep": divided_by_the_valve,
        },
        hint="two steps back: first crop_concat_backward, then each channel of dskip times its keep",
    ),
]
