"""Answers to the exercises of notebook 20."""

import itertools
import math
import statistics

import numpy as np
import scipy

from minunet.layers.crop_concat import crop_concat_backward
from student_answers.common import RIGHT, SOLUTION


def differences_of_lists(without, complete):
    differences = [a - b for a, b in zip(without.tolist(), complete.tolist(), strict=True)]
    return [statistics.fmean(differences), min(differences), max(differences)]


def differences_of_magnitude(without, complete):
    differences = np.abs(without - complete)
    return differences.mean(), differences.min(), differences.max()


def differences_as_shares(without, complete):
    differences = (without - complete) / complete
    return differences.mean(), differences.min(), differences.max()


def differences_in_another_order(without, complete):
    mean, smallest, largest = differences_of_lists(without, complete)
    return smallest, mean, largest


def differences_with_the_deviation(without, complete):
    differences = without - complete
    mean, std = differences.mean(), differences.std()
    return mean, mean - std, mean + std


def differences_with_the_median(without, complete):
    differences = without - complete
    return np.median(differences), differences.min(), differences.max()


def differences_in_place(without, complete):
    without -= complete
    return without.mean(), without.min(), without.max()


def chance_by_listing(differences):
    """All outcomes of n throws, and how many are as one-sided as this one."""
    n, plus = len(differences), int((differences > 0).sum())
    seen = abs(2 * plus - n)
    outcomes = [sum(signs) for signs in itertools.product((1, -1), repeat=n)]
    return sum(abs(outcome) >= seen for outcome in outcomes) / len(outcomes)


def chance_by_scipy(differences):
    return scipy.stats.binomtest(int((differences > 0).sum()), len(differences)).pvalue


def chance_above_one(differences):
    n, k = len(differences), min((differences > 0).sum(), (differences < 0).sum())
    return 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n


def chance_of_minus_as_the_exception(differences):
    n, k = len(differences), int((differences > 0).sum())
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def chance_by_a_t_test(differences):
    return scipy.stats.ttest_1samp(differences, 0).pvalue


def chance_by_ranks(differences):
    return scipy.stats.wilcoxon(differences).pvalue


def chance_with_one_exception(differences):
    n = len(differences)
    return 2 * (1 + n) / 2**n


def share_of_exceptions(differences):
    return (differences > 0).mean()


def valve_channel_by_channel(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return np.stack([channel * k for channel, k in zip(dskip.swapaxes(0, 1), cache.keep, strict=True)], axis=1), dx


def valve_before_the_split(dy, cache):
    S = len(cache.keep)
    factors = np.ones(dy.shape[1])
    factors[:S] = cache.keep
    return crop_concat_backward(dy * factors[:, None, None], cache.concat)


def valve_on_the_wrong_axis(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip * cache.keep, dx


def valve_open_or_closed(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip * (cache.keep > 0)[:, None, None], dx


def valve_squared(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip * cache.keep[:, None, None] ** 2, dx


def valve_on_the_other_half(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip, dx * cache.keep[: dx.shape[1], None, None]


def valve_without_the_crop(dy, cache):
    S = len(cache.keep)
    return dy[:, :S] * cache.keep[:, None, None], dy[:, S:].copy()


def valve_with_a_view(dy, cache):
    dskip, _ = crop_concat_backward(dy, cache.concat)
    return dskip * cache.keep[:, None, None], dy[:, len(cache.keep) :]


ANSWERS = [
    ("paired_difference", differences_of_lists, RIGHT),
    ("paired_difference", lambda a, b: np.array([np.mean(a - b), np.min(a - b), np.max(a - b)]), RIGHT),
    ("paired_difference", differences_of_magnitude, "mean differs"),
    ("paired_difference", differences_as_shares, "mean differs"),
    ("paired_difference", differences_in_another_order, "mean differs"),
    ("paired_difference", differences_with_the_deviation, "smallest differs"),
    ("paired_difference", differences_with_the_median, "mean differs"),
    ("paired_difference", differences_in_place, "it changes its argument without"),
    ("paired_difference", lambda a, b: a - b, "mean differs"),
    ("chance_of_signs", chance_by_listing, RIGHT),
    ("chance_of_signs", chance_above_one, "the tiny case is right, but"),
    ("chance_of_signs", chance_of_minus_as_the_exception, "the tiny case is right, but"),
    ("chance_of_signs", chance_with_one_exception, "the tiny case is right, but"),
    ("chance_of_signs", share_of_exceptions, "chance differs"),
    ("valve_concat_backward", valve_channel_by_channel, RIGHT),
    ("valve_concat_backward", valve_before_the_split, RIGHT),
    ("valve_concat_backward", valve_on_the_wrong_axis, "it stops with ValueError: operands could not be broadcast"),
    ("valve_concat_backward", valve_open_or_closed, "the valve is missing on the way back"),
    ("valve_concat_backward", valve_squared, "dskip differs"),
    ("valve_concat_backward", valve_on_the_other_half, "dskip differs"),
    ("valve_concat_backward", valve_without_the_crop, "dskip has shape (1, 2, 2, 2)"),
    ("valve_concat_backward", valve_with_a_view, "dx is right, but shares its memory with dy"),
    ("valve_concat_backward", lambda *args: SOLUTION["valve_concat_backward"](*args)[::-1], "dskip has shape"),
]
LONG = [  # to import scipy.stats takes seconds
    ("chance_of_signs", chance_by_scipy, RIGHT),
    ("chance_of_signs", chance_by_a_t_test, "chance differs"),
    ("chance_of_signs", chance_by_ranks, "chance differs"),
]
