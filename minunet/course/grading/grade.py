"""Grade one submission: the marks come from `check`, in this process, which only calls the student's functions there.

So a notebook that redefines course.check, patches NumPy or prints a green tick gains nothing. The course decides which
exercises count, and that the function for conv2d_dx is called my_conv2d_dx.
"""

import re
import warnings
from typing import TypedDict

import numpy as np

from minunet.course.checking import check
from minunet.course.exercises import by_notebook
from minunet.course.grading.sandbox import Sandbox
from minunet.course.grading.student_process import StudentProcess
from minunet.course.grading.submission import Submission

MOST_LINES = 60  # of a verdict, each of at most so many characters:
LONGEST_LINE = 400
FOR_TEACHER = "please look at what it does with it"  # no student sees a remark with these words
TO_LOOK_AT = {
    "a notebook file": r"\.ipynb",
    "a function of NumPy or minunet, and replaces it": r"(?m)^\s*(np|numpy|course|checking|minunet)(\.\w+)+\s*=(?!=)",
    "the stored solutions": r"\.solution\b|exercises import find|\bby_notebook\b",
}


class Mark(TypedDict):
    """What `check` says about one exercise."""

    points: float
    ok: bool
    lines: list[str]


class Graded(TypedDict):
    """What is kept of a submission, as JSON."""

    file: str
    student: str
    notebook: str
    marks: dict[str, Mark]
    remarks: list[str]
    key: str


def grade(submission: Submission, seconds: float, where: Sandbox) -> Graded:
    """Run a submission in a sandbox of its own and check its exercises.

    Parameters
    ----------
    submission : Submission
        What was read of it.
    seconds : float
        How long a cell, or a call of the student's function, may take.
    where : Sandbox
        Where its process is started.

    Returns
    -------
    graded : dict
        The marks of all exercises of that notebook, and the remarks.
    """
    remarks = [submission.remark] if submission.remark else []
    remarks += [
        f"cell {number} names {what}; {FOR_TEACHER}"
        for number, cell in submission.cells.items()
        for what, pattern in TO_LOOK_AT.items()
        if re.search(pattern, cell)
    ]
    marks: dict[str, Mark] = {}
    if submission.notebook:
        with StudentProcess(submission.cells, seconds, where) as process:
            for exercise in by_notebook()[submission.notebook]:
                marks[exercise.name], own = _mark(exercise.name, process)
                remarks += own
        remarks += [f"{who} {what}" for who, what in process.remarks.items()]
    return graded(submission, marks, remarks)


def graded(submission: Submission, marks: dict[str, Mark], remarks: list[str]) -> Graded:
    """Return what is kept of a submission."""
    file, student, notebook = submission.file, submission.student, submission.notebook
    return {
        "file": file,
        "student": student,
        "notebook": notebook,
        "marks": marks,
        "remarks": [_short(remark) for remark in remarks],
        "key": submission.key,
    }


def total(row: Graded) -> float:
    """Return the points of a submission."""
    return round(sum(mark["points"] for mark in row["marks"].values()), 2)


def handed_in(chosen: dict[str, dict[str, Graded]]) -> list[str]:
    """Return the notebooks that any student has handed in, in the order of the course."""
    return [name for name in by_notebook() if any(name in own for own in chosen.values())]


def most_points(notebooks: list[str]) -> int:
    """Return the points that these notebooks can give: one for each exercise."""
    return sum(len(by_notebook()[name]) for name in notebooks)


def _mark(name: str, process: StudentProcess) -> tuple[Mark, list[str]]:
    """Return the mark of one exercise, and its remarks; whatever `check` stops with is one of them."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            verdict = check(name, process.function(f"my_{name}"), seconds=None)  # the process has its own limit
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = f"its check stops with {type(error).__name__}: {error}; please look at this answer yourself"
        return {"points": 0.0, "ok": False, "lines": [_short(what)]}, [f"my_{name}: {what}"]
    lines = [_short(line) for line in verdict.lines[:MOST_LINES]]
    remarks = [f"my_{name}: {remark}" for remark in verdict.remarks]
    return {"points": verdict.points, "ok": verdict.ok, "lines": lines}, remarks


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + " ..."
