"""What an exercise is: a function to write, and what is needed to check it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Exercise(NamedTuple):
    """A function that a student writes, and the right one that it is compared with."""

    name: str
    solution: Callable  # the right function, the library's wherever it has one
    outputs: tuple[str, ...]  # the names of what it returns, in order, such as ("dx", "dweight", "dbias")
    args: tuple  # a tiny case of small whole numbers, shown as "yours" beside "expected"
    more: tuple[tuple, ...] = ()  # further cases: other sizes, batches, channels
    pair: tuple[Callable, tuple] | None = None  # for a backward pass: (forward, args) for the gradient check
    mistakes: Mapping[str, Callable] = MappingProxyType(
        {}
    )  # a hint -> a function with the mistake that the hint is for
    hint: str = ""  # shown if no mistake is recognised
    tolerance: float = 1e-8  # relative to the largest number expected
