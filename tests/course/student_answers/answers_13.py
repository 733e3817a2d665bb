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


ANSWERS = [
    ("brier_score", brier_on_the_host, "numbers from the device to the host"),
    ("brier_score", brier_in_python, "numbers from the device to the host"),
    ("brier_score", brier_of_np, "it stops with TypeError"),
    ("brier_score", brier_left_on_the_device, "score should be an array or a number, and is a PretendArray"),
    ("median_time", lambda *args: statistics.median(SOLUTION["median_time"](*args) for _ in [1]), RIGHT),
    ("median_time", middle_time, "the tiny case is right, but"),
    ("transfer_seconds", lambda shape, size, latency, width: latency + math.prod(shape) * size / width, RIGHT),
    ("transfer_seconds", lambda shape, size, latency, width: latency + len(shape) * size / width, "seconds differs"),
]
