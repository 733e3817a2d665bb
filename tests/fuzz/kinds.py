"""The kinds of files that are mutated, and how many mutants of each the long form of the test makes."""

from fuzz.images import Images
from fuzz.notebooks import Notebooks
from fuzz.run_folders import RunFolder

COUNTS = {"checkpoint": 4000, "configuration": 2500, "log": 1500, "image": 3000, "notebook": 1500}
MAKERS = {"checkpoint": RunFolder, "configuration": RunFolder, "log": RunFolder, "image": Images, "notebook": Notebooks}
