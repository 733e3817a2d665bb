"""Several sides in turn, in many short rounds: what a busy machine does to one side, it does to the others as well.

In a round each side makes each of its passes for about VISIT seconds. The first call is not counted, since it finds the
caches full of another side's numbers; passes that take long do not mind. Every second round goes the other way round.

What counts is the median over the rounds. The ratio of two sides is the median of their ratios in the same round.
"""

import time
from collections.abc import Sequence

import numpy as np

from minunet.cli.bench.sides import Side

VISIT = 0.06  # seconds
LONG = 0.2  # seconds: a pass that takes as long is called once in a round, and counted

Times = dict[str, np.ndarray]  # the seconds of each side, by its label: (passes, rounds)


def time_in_turn(sides: Sequence[Side], seconds: float, least: int, passes: int = 2, **case) -> Times:
    """Let all sides prepare the case; return the times of its passes, of at least so many seconds and rounds."""
    for side in sides:
        side.ask(**case)
    end = time.monotonic() + seconds
    first = [[side.seconds(which) for which in range(passes)] for side in sides]
    calls = {side.label: [max(1, round(VISIT / t)) for t in row] for side, row in zip(sides, first, strict=True)}
    is_short = {side.label: [t < LONG for t in row] for side, row in zip(sides, first, strict=True)}

    times: dict[str, list[list[float]]] = {side.label: [[] for _ in range(passes)] for side in sides}
    order, rounds = list(sides), 0
    while rounds < least or time.monotonic() < end:
        for side in order:
            for which in range(passes):
                number, warm = calls[side.label][which], is_short[side.label][which]
                times[side.label][which].append(side.seconds(which, number, warm))
        order.reverse()
        rounds += 1
    return {label: np.array(rows) for label, rows in times.items()}


def better(times: Times, labels: Sequence[str], which: int) -> str:
    """Return which of the labels has the smaller median in a pass."""
    return min(labels, key=lambda label: float(np.median(times[label][which])))


def ratio(times: Times, label: str, other: str, which: int) -> float:
    """Return the median ratio of one side's time to another's in a pass."""
    return float(np.median(times[label][which] / times[other][which]))
