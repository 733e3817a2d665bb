"""The exercises of the course: one module a notebook, each with a list EXERCISES."""

import importlib
import pkgutil

from minunet.course.exercise import Exercise
from minunet.errors import InputError


def all_exercises() -> dict[str, Exercise]:
    """Return every exercise by its name, in the order of the notebooks."""
    exercises = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for exercise in importlib.import_module(f"{__name__}.{module.name}").EXERCISES:
            exercises[exercise.name] = exercise
    return exercises


def find(name: str) -> Exercise:
    """Return the exercise of that name; raise InputError, with the names that are, if there is none."""
    known = all_exercises()
    if name not in known:
        raise InputError(f"an exercise must be one of {', '.join(known)}, got {name!r}")
    return known[name]
