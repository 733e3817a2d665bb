"""The arguments' names: an adapter's forward pass bears those of the function that it stands for."""

import inspect


def argument_names(function, count: int) -> list[str]:
    """Return the names of the first `count` arguments of `function`, or x0, x1, ... if it has no such names."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in positional][:count]
    return names if len(names) == count else [f"x{i}" for i in range(count)]


def set_argument_names(function, names: list[str]) -> None:
    """Give `function`, which takes `*args`, a signature of these names, which reports then use."""
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
    function.__signature__ = inspect.Signature(parameters)
