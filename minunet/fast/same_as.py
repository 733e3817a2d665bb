"""The decorator of every fast function: it says which readable function this one equals."""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def same_as(readable: Callable[Arguments, Result]) -> Callable[[Callable[..., Any]], Callable[Arguments, Result]]:
    """Return a decorator that gives a function the docstring and the type hints of `readable`.

    The decorated function has the same arguments, results and errors as `readable`, and the tests compare the two.
    """

    def decorate(function: Callable[..., Any]) -> Callable[Arguments, Result]:
        where = f"{readable.__module__}.{readable.__name__}"
        readable_doc = inspect.getdoc(readable)
        function.__doc__ = f"Do what `{where}` does: same arguments, results and errors.\n\n{readable_doc}"
        function.__annotations__ = dict(readable.__annotations__)
        return function

    return decorate
