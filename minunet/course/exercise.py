"""What an exercise is: a function to write, and what is needed to check it."""

import inspect
import reprlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from minunet.course.comparing import TOLERANCE
from minunet.course.pretend_gpu import PretendArray

LONGEST = 60  # characters of a list, in the name of a case


class Exercise(NamedTuple):
    """A function that a student writes, and the right one that it is compared with."""

    name: str
    solution: Callable  # the right function, the library's wherever it has one
    outputs: tuple[str, ...]  # the names of what it returns, in order, such as ("dx", "dweight", "dbias")
    args: tuple  # a tiny case of small whole numbers, shown as "yours" beside "expected"
    more: tuple[tuple, ...] = ()  # further cases: other sizes, batches, channels, and numbers that are not whole
    pair: tuple[Callable, tuple] | None = None  # for a backward pass: (forward, args) for the gradient check
    # mistakes: a hint -> a function with the mistake that the hint is for
    mistakes: Mapping[str, Callable] = MappingProxyType({})
    hint: str = ""  # shown if no mistake is recognised
    tolerance: float = TOLERANCE  # relative to the largest number expected
    changes: tuple[str, ...] = ()  # the arguments that the function must change in place; all others must stay
    may_return_views: bool = False  # whether a result may share its memory with an argument
    rule: Callable | None = None  # rule(function) -> what is wrong with how a right result was reached, or ""
    ready_made: tuple[str, ...] = ()  # the library's functions that do the whole exercise; a call gets a remark

    def arguments(self) -> list[str]:
        """Return the names of the function's arguments."""
        return list(inspect.signature(self.solution).parameters)


def case_in_words(args: tuple) -> str:
    """Return the shapes of a case's arrays, or, if it has none, its numbers and lists in short."""
    arrays = [x for x in args if isinstance(x, (np.ndarray, PretendArray))]
    if arrays:
        where = [" on the device" if isinstance(x, PretendArray) else "" for x in arrays]
        return ", ".join(f"{x.shape}{place}" for x, place in zip(arrays, where, strict=True))
    return ", ".join(_in_short(x) for x in args if not callable(x))


def _in_short(x) -> str:
    if isinstance(x, (bool, int, float)):
        return str(x)
    if not isinstance(x, (str, list, tuple)) or hasattr(x, "_fields"):
        return f"a {type(x).__name__}"
    text = reprlib.repr(x)
    if "array(" in text:
        return f"a {type(x).__name__} of {len(x)}"
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."
