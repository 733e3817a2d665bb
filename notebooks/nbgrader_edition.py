"""Pages for nbgrader: the instructor's version, from which `nbgrader generate_assignment` makes the students'.

An exercise is a cell for a solution, its check is a locked cell worth one point, and an open question is a cell that a
person grades, with as many points as its rubric says. otter and Gradescope can run the checks too: each raises
AssertionError, with the verdict as its text, until the exercise is right.
"""

import ast
import re

from nbformat import NotebookNode

from editions import BEGIN, END, solutions, tag_of

SCHEMA = 3  # of nbgrader's metadata
RUBRIC = r"\*\*Rubric, (\d+) points?\.\*\*"


def nbgrader(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of a page, with its solutions, and with nbgrader's metadata and marks."""
    notebook = solutions(notebook)
    questions = 0
    for cell in notebook.cells:
        match tag_of(cell):
            case "exercise":
                cell.source = _with_marks(cell.source)
                _set(cell, ast.parse(cell.source).body[0].name, solution=True)
            case "check":
                name = re.search(r'"(\w+)"', cell.source)[1]
                cell.source = cell.source.rstrip() + ".require()"
                _set(cell, f"check_{name}", grade=True, locked=True, points=1)
            case "answer":
                questions += 1
                points = re.search(RUBRIC, cell.source)
                _set(cell, f"question_{questions}", grade=True, solution=True, points=int(points[1]) if points else 1)
    return notebook


def _with_marks(source: str) -> str:
    """Return an exercise with nbgrader's marks around the solution in place of the course's."""
    lines = []
    for line in source.split("\n"):
        indent = re.match(" *", line)[0]
        if begin := re.fullmatch(BEGIN, line):
            lines += [f"{indent}# {begin[1]}", f"{indent}### BEGIN SOLUTION"]
        elif re.fullmatch(END, line):
            lines += [f"{indent}### END SOLUTION"]
        else:
            lines.append(line)
    return "\n".join(lines)


def _set(cell: NotebookNode, grade_id: str, grade=False, solution=False, locked=False, points=0) -> None:
    kind = {"grade": grade, "solution": solution, "locked": locked, "task": False}
    cell.metadata["nbgrader"] = {"schema_version": SCHEMA, "grade_id": grade_id, **kind}
    if grade:
        cell.metadata["nbgrader"] |= {"points": points, "cell_type": cell.cell_type}
