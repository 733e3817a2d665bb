"""Call a student's function; say in one line if it is not written yet, fails, or returns the wrong kind of thing."""

import traceback
from collections.abc import Callable

import numpy as np


class FailedCheckError(Exception):
    """A check that failed; `lines` tell the student what is wrong."""

    def __init__(self, lines: list[str]):
        super().__init__(lines)
        self.lines = [line for line in lines if line]


def run(function: Callable, args: tuple, outputs: tuple[str, ...]) -> tuple:
    """Return what the function returns, one array for each name in `outputs`; else raise FailedCheckError."""
    expected = ", ".join(outputs)
    try:
        result = function(*args)
    except NotImplementedError:
        result = None
    except (Exception, SystemExit) as error:  # exit() in a student's function must not end the notebook
        raise FailedCheckError([where_it_failed(error, function)]) from error
    if result is None:
        raise FailedCheckError([f"not written yet: it returns nothing, and should return {expected}"])
    result = result if len(outputs) > 1 else (result,)
    if not isinstance(result, (tuple, list)) or len(result) != len(outputs):
        got = f"{len(result)} things" if isinstance(result, (tuple, list)) else f"one {type(result).__name__}"
        raise FailedCheckError([f"it should return {len(outputs)} things, {expected}, and returns {got}"])
    for name, value in zip(outputs, result, strict=True):
        if not _is_numeric(value):
            raise FailedCheckError([f"{name} should be an array or a number, and is {_described(value)}"])
    return tuple(result)


def where_it_failed(error: BaseException, function: Callable) -> str:
    """Return the error and the student's line that it came from."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    place = f", in line {own[-1].lineno}: {own[-1].line}" if own else ""
    return f"it stops with {type(error).__name__}: {error}{place}"


def _is_numeric(value) -> bool:
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:  # lists of different lengths
        return False


def _described(value) -> str:
    if value is Ellipsis:
        return "..."
    if value is None:
        return "None"
    return f"a {type(value).__name__}"
