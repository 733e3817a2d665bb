"""Call a student's function, and see what its result does not tell.

`watched_call` runs where the function runs: in the notebook, or in the kernel of a submission that is graded.
"""

import functools
import inspect
import reprlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import flatten
from minunet.course import pretend_gpu
from minunet.course.exercise import Exercise

PACKAGE = str(Path(__file__).parents[1])
LONGEST = 300  # characters of an error's own message that are shown


class Call(NamedTuple):
    """What a function returned, and what else it did."""

    result: Any
    views: dict[int, str]  # number of an output -> the argument with which it shares its memory
    ready_made: set[str]  # what it called that does the whole exercise, in words
    trips: list[str]  # the lines of code at which the host waited for a value from the pretend GPU
    numbers_copied: int  # in all these trips


class NotAFunctionError(Exception):
    """Something else was handed in place of a function; the text says so to the student."""


def watched_call(exercise: Exercise, function: Callable, args: tuple) -> Call:
    """Call the function with these arguments, which it may change; raise what it raises."""
    if not callable(function):
        without = "quotation marks" if isinstance(function, str) else "brackets"
        found = f"expected your function {exercise.name}, got {_in_short(function)}"
        raise NotAFunctionError(f"{found}: write its name without {without}")
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
    return Call(result, views(exercise, result, args), ready_made, trips, copied)


def words_of(error: BaseException, function: Callable) -> str:
    """Return an error's message and the student's line that it came from; empty if it has neither."""
    try:
        return ", ".join(filter(None, [str(error)[:LONGEST], _place(error, function)]))
    except BaseException:  # an error or a function of the student's own class, which fails when it is looked at
        return "?"


def _place(error: BaseException, function: Callable) -> str:
    """Return, in words, the last line of the student's file that the error came through; empty if there is none."""
    code = _code_of(function)
    if code is None or code.co_filename.startswith(PACKAGE):
        return ""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == code.co_filename]
    return f"in line {own[-1].lineno}: {own[-1].line}" if own else ""


def _code_of(function: Callable) -> CodeType | None:
    """Return the code of a function, of what a decorator or a partial wraps, or of a class that is called."""
    if isinstance(function, functools.partial):
        return _code_of(function.func)
    if isinstance(function, type):
        function = getattr(function, "__init__", function)
    function = inspect.unwrap(function)
    return getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)


def _in_short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return reprlib.repr(value) if type(value) in (type(None), bool, int, float, str) else f"a {type(value).__name__}"


def views(exercise: Exercise, result, args: tuple) -> dict[int, str]:
    """Return the outputs that share their memory with an argument."""
    named = dict(zip(exercise.arguments(), args, strict=False))
    found = {}
    for i, output in enumerate(result if isinstance(result, (tuple, list)) else [result]):
        for name, array in flatten(named).items():
            if _is_array(output) and _is_array(array) and np.may_share_memory(output, array):
                found[i] = name
    return found


def _is_array(x) -> bool:
    return isinstance(x, np.ndarray)
