"""Whose a file is: by the names that Moodle and Canvas give to files, by its folder, or by a table of the teacher's."""

import csv
import re
from pathlib import Path, PurePosixPath

from minunet.course.exercises import by_notebook
from minunet.errors import InputError

MOODLE = r"(?P<name>.+?)_\d+_assignsubmission_(?:file|onlinetext)_?.*"
CANVAS = r"(?P<name>[^\W_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+"
COPIED = (  # what a browser, Jupyter or Colab adds to the name of a copy
    r"(?i)\b(copy of|kopie von|copie de|copia d[ei]|c\u00f3pia de)\b"
    r"|[-_ ]\(?(copy|kopie|copie|copia)\d*\)?(?=[-_ .]|$)|\(\d+\)"
)
COPY = r"[-_ ]?\(?(?P<number>\d{1,3})\)?$"  # name-1, name (1)


def find_student(file: str) -> str:
    """Return who handed in a file.

    Moodle writes "Anna Smith_123_assignsubmission_file_", where the number is another one in each assignment, so the
    name counts. Canvas writes "smithanna_4711_8899_02_convolution-1.ipynb", where 4711 is the student and 8899 the
    submission. Else it is the first folder, or else what the file's name has besides the notebook's.
    """
    parts = PurePosixPath(file).parts
    for part in parts:
        if match := re.fullmatch(MOODLE, part):
            return match["name"]
        if match := re.fullmatch(CANVAS, part):
            return f"{match['name']}_{match['id']}"
    folders = [part for part in parts[:-1] if not _is_of_the_course(part)]
    if folders and not folders[0].lower().endswith(".zip"):
        return folders[0]
    stem = re.sub(r"\.(ipynb|zip)(\.txt|\.json)?$", "", folders[0] if folders else parts[-1], flags=re.IGNORECASE)
    own = re.sub("|".join(by_notebook()), "", stem)
    return re.sub(COPIED, "", own).strip(" -_.") or stem


def attempt_of(file: str) -> int:
    """Return the number that a platform or a browser puts after a second file's name, or 0."""
    stem = PurePosixPath(file).stem
    for name in by_notebook():
        if name in stem:
            match = re.search(COPY, stem.split(name)[-1])
            return int(match["number"]) if match else 0
    match = re.search(r"-(\d{1,3})$| \((\d{1,3})\)$", stem)
    return int(match[1] or match[2]) if match else 0


def read_map(path: Path) -> dict[str, str]:
    """Return {what a file's name says: the student} of a table with two columns; its first row is its heading.

    Raises
    ------
    InputError
        If there is no such file, or if a row has not two columns.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--map must be a CSV file in UTF-8, cannot read {path}: {error}") from error
    if len(rows) < 2 or any(len(row) < 2 or not row[0].strip() or not row[1].strip() for row in rows):
        raise InputError(
            f"--map needs rows FOUND,STUDENT below a heading, such as 4711,Anna Smith; {path} has others, or none"
        )
    return {row[0].strip(): row[1].strip() for row in rows[1:]}


def apply_map(student: str, file: str, known: dict[str, str]) -> str | None:
    """Return the student that a table names for a file, for what its name says, or for a part of that; or None."""
    for found in (file, PurePosixPath(file).name, student, *re.split(r"[_ ]", student)):
        if found in known:
            return known[found]
    return None


def _is_of_the_course(part: str) -> bool:
    return part in by_notebook() or part.lower() in ("submissions", "notebooks", "student")
