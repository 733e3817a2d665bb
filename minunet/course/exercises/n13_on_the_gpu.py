"""The exercises of notebook 13: one function for both back ends, timing honestly, the price of a transfer."""

import statistics

import numpy as np

from minunet.course import pretend_gpu
from minunet.course.exercise import Exercise

rng = np.random.default_rng(13)


def scores_case(N: int, K: int, H: int, W: int) -> tuple:
    """Return p (N, K, H, W), small whole numbers where probabilities would be, and labels (N, H, W)."""
    return rng.integers(0, 4, (N, K, H, W)).astype(float), rng.integers(0, K, (N, H, W))


def on_pretend_gpu(p, labels) -> tuple:
    return pretend_gpu.PretendArray(p), pretend_gpu.PretendArray(labels), pretend_gpu.array_module


def random_case(N: int, K: int, H: int, W: int) -> tuple:
    return rng.random((N, K, H, W)), rng.integers(0, K, (N, H, W))


def squared_differences(p, labels, array_module):
    xp = array_module(p)
    onehot = labels[:, None] == xp.arange(p.shape[1])[:, None, None]  # (N, K, H, W)
    return (p - onehot) ** 2


def brier_score(p, labels, array_module):
    return float(squared_differences(p, labels, array_module).sum(axis=1).mean())


def brier_sum(p, labels, array_module):
    return float(squared_differences(p, labels, array_module).sum())


def brier_mean_of_classes(p, labels, array_module):
    return float(squared_differences(p, labels, array_module).mean())


class Device:
    """An imaginary device with a clock: a call takes the host one tick, and the device `durations[0]` ticks later on.

    The first calls are slow, one later call is disturbed, and the device may still have work from before.
    """

    def __init__(self, durations: list[int], unfinished: int):
        self.now = 0
        self.idle_from = unfinished
        self.durations = durations

    def function(self):
        self.now += 1
        self.idle_from = max(self.idle_from, self.now) + self.durations[0]
        self.durations = self.durations[1:] or self.durations

    def synchronise(self):
        self.now = max(self.now, self.idle_from)

    def clock(self):
        return self.now


def timing_case(durations: list[int], unfinished: int, warm_up: int, repeats: int) -> tuple:
    device = Device(durations, unfinished)
    return device.function, device.synchronise, device.clock, warm_up, repeats


def each_time(function, synchronise, clock, warm_up, repeats) -> list:
    """Return what each of the timed calls took."""
    for _ in range(warm_up):
        function()
    synchronise()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        synchronise()
        times.append(clock() - start)
    return times


def median_time(function, synchronise, clock, warm_up, repeats):
    return statistics.median(each_time(function, synchronise, clock, warm_up, repeats))


def mean_time(function, synchronise, clock, warm_up, repeats):
    return statistics.mean(each_time(function, synchronise, clock, warm_up, repeats))


def best_time(function, synchronise, clock, warm_up, repeats):
    return min(each_time(function, synchronise, clock, warm_up, repeats))


def never_waiting(function, synchronise, clock, warm_up, repeats):
    return median_time(function, lambda: None, clock, warm_up, repeats)


def without_warm_up(function, synchronise, clock, warm_up, repeats):
    return median_time(function, synchronise, clock, 0, repeats)


def without_first_wait(function, synchronise, clock, warm_up, repeats):
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        synchronise()
        times.append(clock() - start)
    return statistics.median(times)


def with_one_wait(function, synchronise, clock, warm_up, repeats):
    for _ in range(warm_up):
        function()
    synchronise()
    start = clock()
    for _ in range(repeats):
        function()
    synchronise()
    return (clock() - start) / repeats


def transfer_seconds(shape, itemsize, latency, bandwidth):
    return latency + itemsize * int(np.prod(shape)) / bandwidth


def without_latency(shape, itemsize, latency, bandwidth):
    return transfer_seconds(shape, itemsize, 0, bandwidth)


def elements_for_bytes(shape, itemsize, latency, bandwidth):
    return transfer_seconds(shape, 1, latency, bandwidth)


def bits_for_bytes(shape, itemsize, latency, bandwidth):
    return transfer_seconds(shape, 8 * itemsize, latency, bandwidth)


def latency_for_each(shape, itemsize, latency, bandwidth):
    return transfer_seconds(shape, itemsize, latency * int(np.prod(shape)), bandwidth)


EXERCISES = [
    Exercise(
        "brier_score",
        solution=brier_score,
        outputs=("score",),
        args=(*scores_case(1, 2, 2, 3), pretend_gpu.array_module),
        more=(
            on_pretend_gpu(*scores_case(1, 2, 2, 3)),
            on_pretend_gpu(*scores_case(2, 3, 4, 5)),
            on_pretend_gpu(*random_case(3, 4, 2, 3)),
        ),
        mistakes={
            "that is the sum over everything; take the mean over n, h and w": brier_sum,
            "that is the mean over the classes too; sum over them first": brier_mean_of_classes,
        },
        hint="onehot is (N, K, H, W): compare labels[:, None] with xp.arange(K)[:, None, None]",
    ),
    Exercise(
        "median_time",
        solution=median_time,
        outputs=("time",),
        args=timing_case([500, 100, 20, 24, 90, 22, 20, 20, 20], unfinished=0, warm_up=2, repeats=5),
        more=(
            timing_case([30, 30, 30, 30], unfinished=700, warm_up=0, repeats=1),
            timing_case([900, 9, 5, 8, 5, 5, 5], unfinished=50, warm_up=1, repeats=4),
        ),
        mistakes={
            "the device was still at work when you stopped the clock: synchronise first": never_waiting,
            "the first timed call waited for the warm-up as well: synchronise before it": without_first_wait,
            "the first calls are still among those that you timed: call it warm_up times before": without_warm_up,
            "one disturbed call moves the mean; take the median": mean_time,
            "the smallest time is that of a lucky moment; take the median": best_time,
            "one wait at the end gives the mean of all calls, disturbed ones included: time each": with_one_wait,
        },
        hint="warm up, wait; then for each repeat: start the clock, call, wait, stop the clock",
    ),
    Exercise(
        "transfer_seconds",
        solution=transfer_seconds,
        outputs=("seconds",),
        args=((2, 3), 4, 5, 8),
        more=(((1, 1, 572, 572), 4, 1e-5, 2e10), ((7,), 8, 2, 4), ((), 4, 1e-5, 2e10), ((3, 5, 2), 2, 0, 1e9)),
        mistakes={
            "each transfer starts with the latency, however small it is": without_latency,
            "bandwidth is in bytes, and an element has itemsize of them": elements_for_bytes,
            "bandwidth is in bytes a second, not bits": bits_for_bytes,
            "the latency is paid once per transfer, not once per element": latency_for_each,
        },
        hint="latency + bytes / bandwidth; a shape () is one element",
    ),
]
