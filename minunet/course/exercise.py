"""What an exercise is: a function to write, and what is needed to judge it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Exercise(NamedTuple):
    """A function that a student writes, held against a right one."""

    name: str
    solution: Callable  # the right function, the library's wherever it has one
    outputs: tuple[str, ...]  # the names of what it returns, in order, such as ("dx", "dweight", "dbias")
    args: tuple  # a tiny case of small whole numbers, shown as "yours" beside "expected"
    more: tuple[tuple, ...] = ()  # further cases: other sizes, batches, channels
    pair: tuple[Callable, tuple] | None = None  # (forward, args) of which the function is the backward pass
    mistakes: Mapping[str, Callable] = MappingProxyType({})  # a hint in words -> a function that needs it
    hint: str = ""  # said when no mistake is recognised
    tolerance: float = 1e-8  # relative to the largest number expected
