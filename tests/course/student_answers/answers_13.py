"""Answers to the exercises of notebook 13."""

import math
import statistics

import numpy as np

from student_answers.common import RIGHT, SOLUTION


def brier_on_the_host(p, labels, array_module):
    xp = array_module(p)
    if xp is not np:
        p, labels = xp.asnumpy(p), xp.asnumpy(labels)
    return float(((p - (labels[:, None] == np.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean())


def brier_in_python(p, labels, array_module):
    return brier_on_the_host(np.array(p.tolist()), np.array(labels.tolist()), array_module)


def brier_of_np(p, labels, array_module):
    return float(((p - (labels[:, None] == np.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean())


def brier_left_on_the_device(p, labels, array_module):
    xp = array_module(p)
    return ((p - (labels[:, None] == xp.arange(p.shape[1])[:, None, None])) ** 2).sum(axis=1).mean()


def middle_time(function, synchronise, clock, warm_up, repeats):
    times = []
    for i in range(warm_up + repeats):
        synchronise()
        start = clock()
        function()
        synchronise()
        if i >= warm_up:
            times.append(clock() - start)
    return sorted(times)[repeats // 2]


def brier_by_parts(p, labels, array_module):
    """The sum of squares, and of p at the label: on the device, with one number brought back."""
    xp = array_module(p)
    at_label = (p * (labels[:, None] == xp.arange(p.shape[1])[:, None, None])).sum()
    return float((p**2).sum() - 2 * at_label) / labels.size + 1


def brier_of_the_label_alone(p, labels, array_module):
    xp = array_module(p)
    at_label = (p * (labels[:, None] == xp.arange(p.shape[1])[:, None, None])).sum(axis=1)
    return float(((1 - at_label) ** 2).mean())


def times_by_a_list(function, synchronise, clock, warm_up, repeats):
    for _ in range(warm_up):
        function()
    times = []
    while len(times) < repeats:
        synchronise()
        begin = clock()
        function()
        synchronise()
        times.append(clock() - begin)
    return np.median(times)


def times_with_the_warm_up(function, synchronise, clock, warm_up, repeats):
    return times_by_a_list(function, synchronise, clock, 0, warm_up + repeats)


def times_without_waiting_at_the_end(function, synchronise, clock, warm_up, repeats):
    synchronise()
    begin = clock()
    function()
    return clock() - begin


def seconds_by_a_loop(shape, itemsize, latency, bandwidth):
    size = itemsize
    for n in shape:
        size *= n
    return latency + size / bandwidth


def seconds_of_the_sum(shape, itemsize, latency, bandwidth):
    return latency + sum(shape) * itemsize / bandwidth


def seconds_multiplied(shape, itemsize, latency, bandwidth):
    return latency + math.prod(shape) * itemsize * bandwidth


ANSWERS = [
    ("brier_score", brier_on_the_host, "numbers from the device to the host"),
    ("brier_score", brier_in_python, "numbers from the device to the host"),
    ("brier_score", brier_of_np, "it stops with TypeError"),
    ("brier_score", brier_left_on_the_device, "score should be an array or a number, and is a PretendArray"),
    ("median_time", lambda *args: statistics.median(SOLUTION["median_time"](*args) for _ in [1]), RIGHT),
    ("median_time", middle_time, "the tiny case is right, but"),
    ("transfer_seconds", lambda shape, size, latency, width: latency + math.prod(shape) * size / width, RIGHT),
    ("transfer_seconds", lambda shape, size, latency, width: latency + len(shape) * size / width, "seconds differs"),
    ("brier_score", brier_by_parts, RIGHT),
    ("brier_score", brier_of_the_label_alone, "score differs"),
    ("median_time", times_by_a_list, RIGHT),
    ("median_time", times_with_the_warm_up, "time differs"),
    ("median_time", times_without_waiting_at_the_end, "time differs"),
    ("median_time", lambda function, synchronise, clock, warm_up, repeats: 23, "the tiny case is right, but"),
    ("transfer_seconds", seconds_by_a_loop, RIGHT),
    ("transfer_seconds", seconds_of_the_sum, "seconds differs"),
    ("transfer_seconds", seconds_multiplied, "seconds differs"),
    (
        "transfer_seconds",
        lambda shape, size, latency, width: latency + np.zeros(shape).size * size / 8,
        "is right, but",
    ),
]
