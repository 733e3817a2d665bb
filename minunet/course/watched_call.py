"""Call a student's function, and see what its result does not tell.

`watched_call` runs where the function runs: in the notebook, or in the kernel of a submission that is graded.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import flatten
from minunet.course import pretend_gpu
from minunet.course.exercise import Exercise

PACKAGE = str(Path(__file__).parents[1])


class Call(NamedTuple):
    """What a function returned, and what else it did."""

    result: Any
    views: dict[int, str]  # number of an output -> the argument with which it shares its memory
    ready_made: set[str]  # what it called that does the whole exercise, in words
    trips: list[str]  # the lines of code at which the host waited for a value from the pretend GPU
    numbers_copied: int  # in all these trips


def watched_call(exercise: Exercise, function: Callable, args: tuple) -> Call:
    """Call the function with these arguments, which it may change; raise what it raises."""
    ready_made: set[str] = set()
    stored = getattr(exercise.solution, "__code__", None)

    def watch(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            if code.co_name in exercise.ready_made:
                ready_made.add(f"it calls the library's {code.co_name}")
            elif code is stored:
                ready_made.add("it calls the stored solution")

    log, watcher_before = pretend_gpu.log, sys.getprofile()
    trips_before, copied_before = len(log.trips), log.numbers_copied
    sys.setprofile(watch)
    try:
        result = function(*args)
    finally:
        sys.setprofile(watcher_before)
    trips, copied = log.trips[trips_before:], log.numbers_copied - copied_before
    names = exercise.arguments()
    return Call(result, _views(result, dict(zip(names, args, strict=False))), ready_made, trips, copied)


def _views(result, args: dict) -> dict[int, str]:
    """Return the outputs that are views of an argument."""
    found = {}
    for i, output in enumerate(result if isinstance(result, (tuple, list)) else [result]):
        for name, array in flatten(args).items():
            if _is_array(output) and _is_array(array) and np.may_share_memory(output, array):
                found[i] = name
    return found


def _is_array(x) -> bool:
    return isinstance(x, np.ndarray)
