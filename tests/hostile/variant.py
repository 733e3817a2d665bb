"""One value in place of a right one, and what it means."""

from typing import Any, NamedTuple

REFUSE = object()  # the value means nothing: the call must raise InputError
ITSELF = object()  # the value means what it says: the function, or its loop twin, is asked with a plain copy of it


class Variant(NamedTuple):
    label: str
    value: Any
    means: Any = REFUSE  # a plain value with the same meaning, or REFUSE, or ITSELF
    is_extreme: bool = False  # whether it holds NaN, infinity, or numbers that overflow
