"""Mutants of what students hand in: notebooks, alone or in a zip file, as `minunet grade` reads them."""

import io
import json
import shutil
import zipfile
from pathlib import Path

from fuzz.mutate import as_json, mutated_bytes, mutated_tree
from fuzz.watch import MisreadError
from minunet import InputError
from minunet.course.grading.grade import total
from minunet.course.grading.grade_all import Journal
from minunet.course.grading.similarity import remarks_on_similar
from minunet.course.grading.students import read_map
from minunet.course.grading.submission import read_submissions

PAGE = Path(__file__).parents[2] / "notebooks" / "student" / "02_convolution.ipynb"
MARK = {"points": 0.5, "ok": False, "lines": ["wrong in x[0]"]}
GRADED = {"file": "a.ipynb", "student": "Anna", "notebook": "02", "marks": {"c": MARK}, "remarks": ["late"], "key": "1"}
SOURCES = [
    "def my_conv2d(x, weight, bias):\n    return '\\d', x is 1\n",
    "course.check('conv2d', my_conv2d)",
    "def my_conv2d(x):\n    return " + "(" * 3000 + "x" + ")" * 3000,
    "x = " + "-" * 20_000 + "1",
    "#\n" * 20_000 + "x = 1\nmy_conv2d(" + " " * 20_000,
    "def my_conv2d(x):\n\treturn x\n        return y\n\0",
    "[" * 50_000,
    "x = 1\nx = 1\n" * 5_000,
]


class Notebooks:
    """A page of the course as a student hands it in, and a folder for mutants of it."""

    def __init__(self, folder: Path):
        self.folder = folder / "handed_in"
        self.page = json.loads(PAGE.read_text(encoding="utf-8"))
        self.whole = PAGE.read_bytes()
        self.table = b"found,student\n4711,Anna Smith\n4712,Tom\n"

    def notebook(self, rng):
        """Return a function that reads a mutant, and judges what was read."""
        if rng.random() < 0.05:
            return lambda: self._judge_table(mutated_bytes(rng, self.table))
        if rng.random() < 0.1:
            row = as_json(rng, mutated_tree(rng, GRADED))
            lines = "\n".join([json.dumps({**GRADED, "key": "other"}), row, row[: rng.integers(len(row) + 1)]])
            return lambda: self._judge_journal(lines.encode("utf-8", "surrogatepass"))
        page = {**self.page, "cells": [dict(cell) for cell in self.page["cells"]]}
        for _ in range(rng.integers(1, 3)):
            page["cells"][rng.integers(len(page["cells"]))]["source"] = SOURCES[rng.integers(len(SOURCES))]
        if rng.random() < 0.4:
            data = mutated_bytes(rng, self.whole)
        else:
            data = as_json(rng, mutated_tree(rng, page)).encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            data = data.decode("utf-8", "replace").encode(
                ["utf-16", "latin-1", "utf-8-sig"][rng.integers(3)], "replace"
            )
        as_zip = rng.random() < 0.25
        name = "02_convolution.zip" if as_zip else "02_convolution.ipynb"
        return lambda: self._judge(name, _zipped(rng, data) if as_zip else data)

    def _judge(self, name: str, data: bytes) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "Anna").mkdir(parents=True)
        (self.folder / "Tom").mkdir()
        (self.folder / "Anna" / name).write_bytes(data)
        (self.folder / "Tom" / "02_convolution.ipynb").write_bytes(self.whole)
        submissions = read_submissions(self.folder)
        remarks_on_similar(submissions)
        for submission in submissions:
            if not submission.notebook and not submission.remark:
                raise MisreadError("a notebook that cannot be graded has no remark")
            texts = [submission.student, submission.file, *submission.cells.values(), *submission.answers.values()]
            for text in texts:
                text.encode()  # can be written into a file
        if [submission.student for submission in submissions][-1] != "Tom":
            raise MisreadError("the notebook beside the mutant is not read")
        hers = [submission for submission in submissions if submission.student == "Anna"]
        if all(not submission.notebook for submission in hers):
            raise InputError(hers[0].remark if hers else "no submission of hers")
        if name.endswith(".ipynb") and not hers[0].remark:
            cells = json.loads(data.decode("utf-8-sig")).get("cells")
            if len(hers[0].cells) > len(cells):
                raise MisreadError("more cells than the file has")

    def _judge_table(self, data: bytes) -> None:
        path = self.folder.with_name("map.csv")
        path.write_bytes(data)
        for found, student in read_map(path).items():
            if not found.strip() or not student.strip():
                raise MisreadError("a row of the table names nobody")

    def _judge_journal(self, data: bytes) -> None:
        """Read the journal of a grading that was stopped, and use its rows as the tables do."""
        path = self.folder.with_name("journal.jsonl")
        path.write_bytes(data)
        rows = Journal(path).rows
        if rows.get("other") != {**GRADED, "key": "other"}:
            raise MisreadError("the row beside the mutant is not read")
        for row in rows.values():
            total(row)
            "; ".join([row["file"], row["student"], row["notebook"], *row["remarks"]]).encode("utf-8", "replace")


def _zipped(rng, data: bytes) -> bytes:
    """Return a zip file with the notebook, now and then with an odd name, twice, huge, or with damaged bytes."""
    names = [
        "02_convolution.ipynb",
        "../../02.ipynb",
        "/etc/x.ipynb",
        "_1" * 30_000 + ".ipynb",
        "a\n.ipynb",
        "é/02.ipynb",
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for _ in range(rng.integers(1, 3)):
            archive.writestr(str(len(archive.namelist())) + names[rng.integers(len(names))], data)
        if rng.random() < 0.02:
            archive.writestr("bomb.ipynb", b" " * 200_000_000)
    return mutated_bytes(rng, file.getvalue()) if rng.random() < 0.5 else file.getvalue()
