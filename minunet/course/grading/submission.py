"""What students hand in: notebooks, in folders or zip files; all are read before any of them runs."""

import hashlib
import json
import os
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from minunet.course.exercises import by_notebook
from minunet.course.grading.students import attempt_of, find_student
from minunet.errors import InputError

LARGEST = 50_000_000  # bytes of a notebook
MOST_IN_ZIP = 50  # notebooks
CHECK = r"""\bcourse\.check\(\s*["'](\w+)["']"""
NOTEBOOK_FILE = r"\.ipynb(\.txt|\.json)?$"  # some browsers add an ending
NO_NOTEBOOK = (".py", ".html", ".htm", ".pdf", ".docx", ".rar", ".7z", ".gz")  # what some hand in instead
DEFINITION = r"^def my_(\w+)\("
ONLY_A_CHECK = rf"\s*(#[^\n]*\n\s*)*(\w+\s*=\s*)?{CHECK}\s*,\s*\w+\s*,?\s*\)(\.require\(\))?\s*;?\s*"


class Submission(NamedTuple):
    """One notebook that was handed in."""

    file: str  # relative to the folder; of a zip file: FILE.zip/NAME.ipynb
    student: str
    notebook: str  # such as 02_convolution; empty if it is none of the course
    cells: dict[int, str]  # number of the code cell -> its source; cells that only check are left out
    answers: dict[str, str]  # id or number of a markdown cell -> its text
    attempt: tuple = ()  # of several, the last has the largest
    remark: str = ""  # why it cannot be graded, or what is odd about the file
    key: str = ""  # the same for the same content in the same place


def read_submissions(folder: Path) -> list[Submission]:
    """Read all notebooks of a folder, of the folders in it, and of zip files; run none.

    Raises
    ------
    InputError
        If there is no folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of notebooks, found no folder {folder}")
    found, others = [], []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        file = "/".join(_in_utf_8(part) for part in relative.parts)
        if any(part in (".ipynb_checkpoints", "__MACOSX") for part in relative.parts):
            continue
        if not path.is_file() and not path.is_symlink():  # of a link whose target is gone, is_file is false
            continue
        is_zip = path.suffix.lower() == ".zip"
        if not is_zip and not re.search(NOTEBOOK_FILE, path.name, re.IGNORECASE):
            others += [file] if path.suffix.lower() in NO_NOTEBOOK else []
        elif path.is_symlink():
            found.append(_unreadable(file, "the file is a link to another"))
        else:
            found += _read_zip(path, file) if is_zip else [_read_file(path, file)]
    if not found:
        raise InputError(f"expected notebooks (*.ipynb) in {folder}, found none")
    students = {submission.student for submission in found}
    return found + [
        _unreadable(file, "it is no notebook (.ipynb)") for file in others if find_student(file) not in students
    ]


def read_notebook(data: bytes, file: str, changed: float = 0) -> Submission:
    """Return a notebook that was handed in; its remark says if it is damaged or none of the course."""
    try:
        text, remark = _decode(data)
        cells = _cells(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _unreadable(file, "the file is damaged, or is not a notebook")
    code = [source for kind, _, source in cells if kind == "code"]
    numbered = {i: source for i, source in enumerate(code, 1) if not re.fullmatch(ONLY_A_CHECK, source)}
    answers = {name: source for kind, name, source in cells if kind == "markdown"}
    try:
        notebook = notebook_of(code, file)
    except InputError as error:
        return _unreadable(file, str(error))
    named = [name for name in by_notebook() if name in Path(file).name]
    if named and notebook not in named:
        remark = f"{remark}; " * bool(remark) + f"it is named after {named[0]}, and has exercises of {notebook}"
    key = hashlib.sha256(file.encode() + b"\0" + data).hexdigest()[:16]
    student = find_student(file)
    return Submission(file, student, notebook, numbered, answers, (attempt_of(file), changed), remark, key)


def notebook_of(code: list[str], file: str) -> str:
    """Return the name of the notebook, such as 02_convolution, by the exercises in it, or by the file's name."""
    text = "\n".join(code)
    named = {*re.findall(CHECK, text), *re.findall(DEFINITION, text, re.MULTILINE)}
    found = {name: len(named & {exercise.name for exercise in own}) for name, own in by_notebook().items()}
    best = max(found, key=lambda name: found[name])
    if found[best]:
        return best
    for name in found:
        if name in Path(file).stem:
            return name
    raise InputError("it has no exercise of the course, and its file name names no notebook of the course")


def _decode(data: bytes) -> tuple[str, str]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), "the file is in UTF-16, not UTF-8"
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("latin-1"), "the file is not in UTF-8, and was read as Latin-1"


def _cells(notebook: dict) -> list[tuple[str, str, str]]:
    """Return (kind, id, source) of each cell; format 3 keeps them in worksheets, and code as "input"."""
    cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    rows = []
    for number, cell in enumerate(cells):
        source = cell.get("source", cell.get("input", ""))
        source = source if isinstance(source, str) else "".join(source)
        source = source.encode("utf-8", "replace").decode()  # half a surrogate pair can be in JSON, and not in a file
        rows.append((str(cell["cell_type"]), str(cell.get("id", number)), source))
    return rows


def _read_file(path: Path, file: str) -> Submission:
    try:
        if path.stat().st_size > LARGEST:
            return _unreadable(file, f"the file has more than {LARGEST:,} bytes")
        return read_notebook(path.read_bytes(), file, path.stat().st_mtime)
    except OSError as error:
        return _unreadable(file, f"the file cannot be read: {error.strerror}")


def _read_zip(path: Path, file: str) -> list[Submission]:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".ipynb")]
            inside = [entry for entry in inside if "__MACOSX" not in entry.filename]
            if not inside or len(inside) > MOST_IN_ZIP or sum(entry.file_size for entry in inside) > 2 * LARGEST:
                return [_unreadable(file, f"it has {len(inside)} notebooks, or too large ones")]
            contents = [(entry.filename, archive.open(entry).read(2 * LARGEST)) for entry in inside]
    except Exception:  # zipfile and zlib have a dozen kinds for a damaged file, one with a password, an unknown packing
        return [_unreadable(file, "the zip file cannot be read")]
    changed = path.stat().st_mtime
    return [read_notebook(data, f"{file}/{name}", changed) for name, data in contents]


def _unreadable(file: str, remark: str) -> Submission:
    return Submission(file, find_student(file), "", {}, {}, remark=remark, key=f"{file}: {remark}")


def _in_utf_8(part: str) -> str:
    """Return a part of a path as text; a name in another encoding, as in old archives, is read as Latin-1."""
    try:
        part.encode()
        return part
    except UnicodeEncodeError:
        return os.fsencode(part).decode("latin-1")
