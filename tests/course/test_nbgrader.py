"""The edition for nbgrader: its metadata is whole, and nbgrader itself gives the right points."""

import csv
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")

import nbformat

import editions
from nbgrader_edition import nbgrader

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))
PAGE = "03_relu_and_max_pool"
INSTALLED = {found.name for found in importlib.metadata.distributions()}  # the folder notebooks/nbgrader is none
STUB = "# YOUR CODE HERE\n    raise NotImplementedError()"  # what nbgrader puts in place of a solution


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_exercise_check_and_question_has_its_metadata(path):
    source = editions.read_source(path)
    made = nbgrader(source)
    nbformat.validate(made)
    tagged = [cell for cell in made.cells if editions.tag_of(cell)]
    assert [cell for cell in made.cells if "nbgrader" in cell.metadata] == tagged
    assert len({cell.metadata.nbgrader.grade_id for cell in tagged}) == len(tagged)
    for cell in tagged:
        own, kind = cell.metadata.nbgrader, editions.tag_of(cell)
        assert (own.solution, own.grade, own.locked) == {
            "exercise": (True, False, False),
            "check": (False, True, True),
            "answer": (True, True, False),
        }[kind]
        marks = re.findall(r"^ *### (BEGIN|END) SOLUTION$", cell.source, re.MULTILINE)
        assert marks == (["BEGIN", "END"] if kind == "exercise" else [])
        assert kind != "check" or re.fullmatch(r'course\.check\("(\w+)", my_\1\)\.require\(\)', cell.source)
        assert not own.grade or own.points >= 1
    rubrics = re.findall(r"\*\*Rubric, (\d+)", "".join(cell.source for cell in source.cells))
    checks = [cell for cell in tagged if editions.tag_of(cell) == "check"]
    points = sum(cell.metadata.nbgrader.get("points", 0) for cell in tagged)
    assert points == len(checks) + sum(map(int, rubrics))


def solved(released, solution, names):
    """Return the released notebook with some functions solved."""
    released = nbformat.from_dict(released)
    for cell, right in zip(released.cells, solution.cells, strict=True):
        if cell.metadata.get("nbgrader", {}).get("grade_id") in names:
            assert STUB in cell.source
            cell.source = right.source
    return released


@pytest.mark.slow
@pytest.mark.skipif("nbgrader" not in INSTALLED, reason="nbgrader is not here: python -m pip install nbgrader")
def test_nbgrader_makes_the_assignment_and_grades_it_right(tmp_path):
    def run(*words):
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls alembic
        own = {"PATH": programs, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words],
            cwd=tmp_path,
            env=os.environ | own,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    page = editions.read_source(ROOT / "notebooks" / "source" / f"{PAGE}.py")
    source = tmp_path / "source" / PAGE / f"{PAGE}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(nbgrader(page), source)
    run("generate_assignment", PAGE)
    released = nbformat.read(tmp_path / "release" / PAGE / f"{PAGE}.ipynb", 4)
    names = [cell.metadata.nbgrader.grade_id for cell in released.cells if editions.tag_of(cell) == "exercise"]
    solution = nbgrader(page)
    handed_in = {
        "anna": solved(released, solution, names),
        "ben": solved(released, solution, []),
        "cleo": solved(released, solution, names[:1]),
        "dora": solved(released, solution, []),
    }
    for cell in handed_in["dora"].cells:
        if editions.tag_of(cell) == "check":
            cell.source = "pass"  # nbgrader puts the locked cell back
    for student, notebook in handed_in.items():
        folder = tmp_path / "submitted" / student / PAGE
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{PAGE}.ipynb")
    run("autograde", PAGE, "--create")
    run("export")
    with open(tmp_path / "grades.csv", newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {"anna": len(names), "ben": 0, "cleo": 1, "dora": 0}
