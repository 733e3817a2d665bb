"""The files of a teacher's inbox are all graded: none stops the others, and each row says what is odd."""

import csv
import importlib.util
import os

import pytest
from hostile_submissions import PRIVATE_FOLDER, QUICK_LIMIT
from odd_submissions import ODD

from minunet.course.grading.grade_folder import Settings, grade_folder
from minunet.course.grading.sandbox import choose
from minunet.course.grading.submission import read_submissions

JUPYTER = pytest.mark.skipif(
    importlib.util.find_spec("ipykernel") is None,
    reason="grading needs Jupyter: python -m pip install -e '.[notebooks]'",
)


def as_read(file: str) -> str:
    return "/".join(os.fsencode(part).decode("latin-1") if "\udcfc" in part else part for part in file.split("/"))


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    """Return a folder that holds `submissions`, and the names of the files that this file system can hold."""
    base = tmp_path_factory.mktemp("odd")
    written = []
    for file, (data, *_) in ODD.items():
        path = base / "submissions" / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.replace(PRIVATE_FOLDER, str(base).encode()))
        except (OSError, UnicodeError):  # no such names on some systems
            continue
        written.append(file)
    assert len(written) > 20
    return base, written


@pytest.fixture(scope="module")
def graded(inbox):
    base, _ = inbox
    rows = grade_folder(base / "submissions", base / "grades", Settings(seconds=2 * QUICK_LIMIT, jobs=2))
    return {row["file"]: row for row in rows}


def test_each_file_is_read_as_that_of_its_student(inbox):
    base, written = inbox
    read = {submission.file: submission for submission in read_submissions(base / "submissions")}
    assert read.keys() == {as_read(file) for file in written}
    for file in written:
        _, student, points, remark = ODD[file]
        one = read[as_read(file)]
        assert (one.student, bool(one.notebook)) == (student, bool(points)), ascii(file)
        assert remark in one.remark or not one.remark, ascii(file)


@pytest.mark.slow
@JUPYTER
@pytest.mark.parametrize("file", ODD, ids=[ascii(file)[1:40] for file in ODD])
def test_an_odd_file_gets_its_marks_and_a_remark(inbox, graded, file):
    if file not in inbox[1]:
        pytest.skip("this file system has no such names")
    _, _, expected, remark = ODD[file]
    row = graded[as_read(file)]
    got = "".join("1" if mark["points"] == 1 else "p" if mark["points"] else "0" for mark in row["marks"].values())
    assert got == expected, row["marks"]
    assert remark in "; ".join(row["remarks"]) if remark else row["remarks"] == []


@pytest.mark.slow
@JUPYTER
def test_every_student_has_a_row_and_a_page_and_nothing_is_left(inbox, graded):
    base, written = inbox
    with open(base / "grades" / "grades.csv", newline="", encoding="utf-8") as file:
        rows = [row["student"] for row in csv.DictReader(file)]
    assert set(rows) == {ODD[file][1] for file in written} and len(rows) == len(written)
    assert len(list((base / "grades" / "feedback").glob("*.html"))) == len(written)
    if choose(None, base).kind != "none":
        assert not list(base.glob("minunet_was_here"))
    psutil = pytest.importorskip("psutil", reason="comes with Jupyter; finds processes that were left behind")
    assert [p for p in psutil.process_iter(["cmdline"]) if f"{base}/forked" in " ".join(p.info["cmdline"] or [])] == []
