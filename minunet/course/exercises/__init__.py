"""The exercises of the course: one module per notebook, each with a list EXERCISES."""

import functools
import importlib
import pkgutil

from minunet.course.exercise import Exercise
from minunet.errors import InputError


@functools.cache
def by_notebook() -> dict[str, list[Exercise]]:
    """Return {notebook: its exercises, in order}; a notebook's name is 02_convolution, for example."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name[1:]: importlib.import_module(f"{__name__}.{name}").EXERCISES for name in names}


def all_exercises() -> dict[str, Exercise]:
    """Return every exercise by its name, in the order of the notebooks."""
    return {exercise.name: exercise for own in by_notebook().values() for exercise in own}


def find(name: str) -> Exercise:
    """Return the exercise of that name; raise InputError, which lists all names, if there is none."""
    known = all_exercises()
    if name not in known:
        raise InputError(f"an exercise must be one of {', '.join(known)}, got {name!r}")
    return known[name]
