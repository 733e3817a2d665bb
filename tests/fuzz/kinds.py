"""The kinds of files that are mutated, and how many mutants of each the long form of the test makes."""

from fuzz.images import Images
from fuzz.notebooks import Notebooks
from fuzz.run_folders import RunFolder

COUNTS = {"checkpoint": 4000, "configuration": 2500, "log": 1500, "image": 3000, "notebook": 1500}
MAKERS = {"image": Images, "notebook": Notebooks}  # of the others, RunFolder


def maker(kind, folder):
    """Return a function that makes a mutant of this kind from a generator, and returns what reads and judges it."""
    return getattr(MAKERS.get(kind, RunFolder)(folder), kind)
