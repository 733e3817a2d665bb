"""What a student hands in: the code cells of a notebook, and which notebook of the course it is."""

import json
import re
from pathlib import Path

from minunet.course.exercises import by_notebook
from minunet.errors import InputError

CHECK = r"""course\.check\(\s*["'](\w+)["']"""


def read_cells(path: Path) -> list[str]:
    """Return the source of each code cell; raise InputError if the file is no notebook."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8-sig"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("the file is damaged, or is not a notebook of format 4") from error


def notebook_of(cells: list[str], path: Path) -> str:
    """Return the name of the notebook, such as 02_convolution, by the exercises it checks, or by the file's name."""
    checked = set(re.findall(CHECK, "\n".join(cells)))
    found = {name: len(checked & {exercise.name for exercise in own}) for name, own in by_notebook().items()}
    best = max(found, key=lambda name: found[name])
    if found[best]:
        return best
    for name in found:
        if name in path.stem:
            return name
    raise InputError("it checks no exercise of the course, and its file name names no notebook of the course")
