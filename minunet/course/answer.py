"""A student's function, called with copies of the arguments: what it returns, as arrays, or in one line why not."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import flatten
from minunet.course.comparing import difference
from minunet.course.exercise import Exercise
from minunet.course.watched_call import NotAFunctionError, watched_call, words_of


class FailedCheckError(Exception):
    """A check that failed; `lines` tell the student what is wrong."""

    def __init__(self, lines: list[str]):
        super().__init__(lines)
        self.lines = [line for line in lines if line]


class Returned(NamedTuple):
    """What a call gave."""

    outputs: tuple[np.ndarray, ...]
    changed: dict[str, np.ndarray]  # argument.field -> its values after the call, where they are others than before
    views: dict[str, str]  # an output -> the argument with which it shares its memory
    trips: list[str]  # lines of code at which the host waited for the pretend GPU
    numbers_copied: int  # from the pretend GPU to the host
    is_stacked: bool  # whether it was one array, taken for one output in each row


class Answer:
    """The function that a student wrote for an exercise.

    A function of another process, as in grading, has a method `watched_call(args)`, which returns a `Call` from there.
    """

    def __init__(self, exercise: Exercise, function: Callable):
        self.exercise, self.function = exercise, function
        self.remarks: set[str] = set()
        self._first: dict[int, Returned] = {}

    def first(self, case: tuple) -> Returned:
        """Return what the first call with a case of the exercise gave: each is called once, however often it is asked.

        A case is told by its identity, so it must be one of the exercise's own tuples, which stay.
        """
        if id(case) not in self._first:
            self._first[id(case)] = self(case)
        return self._first[id(case)]

    def __call__(self, args: tuple) -> Returned:
        """Call it with copies of the arguments; raise FailedCheckError if it is not written yet, fails or so on."""
        mine = copy.deepcopy(args)
        try:
            call = self._watched_call(mine)
        except NotImplementedError:
            raise FailedCheckError([_not_written(self.exercise)]) from None
        except NotAFunctionError as error:
            raise FailedCheckError([str(error)]) from None
        except KeyboardInterrupt:  # of the user or of the clock; `check` knows
            raise
        except BaseException as error:  # SystemExit and all else: nothing that a student writes ends the notebook
            raise FailedCheckError([where_it_failed(error, self.function)]) from error
        outputs, changed = self._as_arrays(call.result), _changed(self.exercise, args, mine)
        self.remarks |= call.ready_made
        views = {self.exercise.outputs[i]: argument for i, argument in call.views.items()}
        is_stacked = len(outputs) > 1 and isinstance(call.result, np.ndarray)
        return Returned(outputs, changed, views, call.trips, call.numbers_copied, is_stacked)

    def _watched_call(self, args: tuple):
        elsewhere = getattr(self.function, "watched_call", None)
        return elsewhere(args) if elsewhere else watched_call(self.exercise, self.function, args)

    def _as_arrays(self, result) -> tuple[np.ndarray, ...]:
        names = self.exercise.outputs
        if result is None:
            raise FailedCheckError([_not_written(self.exercise)])
        if len(names) == 1:
            return (_as_array(names[0], result),)
        is_stacked = isinstance(result, np.ndarray) and result.ndim > 0 and len(result) == len(names)
        if not (isinstance(result, (tuple, list)) or is_stacked) or len(result) != len(names):
            got = f"{len(result)} things" if isinstance(result, (tuple, list)) else f"one {type(result).__name__}"
            raise FailedCheckError([wrong_number(self.exercise, got)])
        return tuple(_as_array(name, value) for name, value in zip(names, result, strict=True))


def wrong_number(exercise: Exercise, got: str) -> str:
    """Return the words for a function that returns more or fewer things than it should."""
    return f"it should return {len(exercise.outputs)} things, {', '.join(exercise.outputs)}, and returns {got}"


def where_it_failed(error: BaseException, function: Callable) -> str:
    """Return the error and the student's line that it came from."""
    words = words_of(error, function)
    return f"it stops with {type(error).__name__}" + (f": {words}" if words else "")


def _not_written(exercise: Exercise) -> str:
    return f"not written yet: it returns nothing, and should return {', '.join(exercise.outputs)}"


def _as_array(name: str, value) -> np.ndarray:
    """Return a plain array with numbers of its own; raise FailedCheckError if the value holds anything else."""
    if not hasattr(value, "send"):  # no generator
        try:
            array = np.array(value)
        except Exception:  # lists of different lengths; an array on the pretend GPU
            array = np.array(None)
        if array.dtype.kind in "biuf":
            return array.astype(float) if array.dtype == np.longdouble else array
    raise FailedCheckError([f"{name} should be an array or a number, and is {_described(value)}"])


def _described(value) -> str:
    if value is Ellipsis:
        return "..."
    if value is None:
        return "None"
    if hasattr(value, "send"):
        return f"a {type(value).__name__}: it says yield or async where it should say return"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a {type(value).__name__}"


def _changed(exercise: Exercise, before: tuple, after: tuple) -> dict[str, Any]:
    """Return the arguments that the call changed; what it changed and put back differs by rounding, and is left out."""
    names = exercise.arguments()
    was, now = (flatten(dict(zip(names, args, strict=False))) for args in (before, after))
    changed: dict[str, Any] = {}
    for name in was | now:
        b, a = was.get(name), now.get(name)
        if isinstance(b, np.ndarray) and isinstance(a, np.ndarray):
            if b.shape != a.shape or (b.dtype.kind in "biuf" and difference(a, b) > exercise.tolerance):
                changed[name] = a
        elif isinstance(b, np.ndarray) or isinstance(a, np.ndarray) or (name in was) != (name in now):
            changed[name] = a
        elif isinstance(b, (int, float)) and a != b:
            changed[name] = np.array(a)
    return changed
