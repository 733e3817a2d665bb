"""One source of a notebook, in jupytext's percent format, and three of its editions: executed, student, solutions.

The others are made of these: `colab.py` and `nbgrader_edition.py`; `build.py` writes all.

Cells are told apart by a tag: `exercise` (one function, with its solution between two marks), `check` (course.check
on that function) and `answer` (the answer to an open question, in markdown). All others are the lesson.
"""

import ast
import copy
import hashlib
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from claims import without_marks
from minunet.errors import InputError

TAGS = {"exercise": "code", "check": "code", "answer": "markdown"}
BEGIN, END = r" *# your code: (about \d+ lines?)", r" *# end of your code"
YOUR_ANSWER = "*Your answer:*"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def read_source(path: Path) -> NotebookNode:
    """Return the notebook of a source, its cells with stable ids; raise InputError, with the cell, if it has faults."""
    text = path.read_text(encoding="utf-8")
    cells = jupytext.reads(text, fmt="py:percent").cells
    if not cells or "\n# %%" not in "\n" + text:
        raise InputError(f"{path.name}: expected cells that begin with # %%, found none")
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    taken = set()
    for number, cell in enumerate(cells, start=1):
        cell.source = without_marks(cell.source)
        _refuse_faults(cell, where(path.stem, number, cell.source))
        new = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
        tags = {"tags": [tag]} if (tag := tag_of(cell)) else {}
        notebook.cells.append(new(cell.source, id=_new_id(_seen_by_students(cell), taken), metadata=tags))
    return notebook


def folded(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in which a reader opens a solution only on purpose."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if tag_of(cell) in ("exercise", "answer"):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def solutions(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with all solutions and no outputs, for a folder one level deeper."""
    return _one_level_deeper(copy.deepcopy(notebook))


def student(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with stubs in place of solutions, and no outputs, for a folder one level deeper."""
    notebook = _one_level_deeper(copy.deepcopy(notebook))
    for cell in notebook.cells:
        cell.source = _seen_by_students(cell)
    return notebook


def stub(source: str) -> str:
    """Return an exercise without the lines between its two marks."""
    lines = source.split("\n")
    begin, end = (_only_line(lines, mark) for mark in (BEGIN, END))
    indent = re.match(" *", lines[begin])[0]
    about = re.fullmatch(BEGIN, lines[begin])[1]
    return "\n".join([*lines[:begin], f"{indent}...  # {about}", *lines[end + 1 :]])


def tag_of(cell: NotebookNode) -> str | None:
    """Return exercise, check, answer, or None for a cell of the lesson."""
    return next(iter(cell.metadata.get("tags", [])), None)


def checks(notebook: NotebookNode) -> dict[str, str]:
    """Return {exercise: the student's function} of the check cells, in their order."""
    calls = [_call_of_check(cell.source) for cell in notebook.cells if tag_of(cell) == "check"]
    return {call.args[0].value: call.args[1].id for call in calls}


def where(name: str, number: int, source: str) -> str:
    """Return words that lead to a cell: the page, its number from 1, its first line."""
    return f"{name}, cell {number} ({source.strip().split(chr(10))[0][:60]!r})"


def _refuse_faults(cell: NotebookNode, place: str) -> None:
    tags = cell.metadata.get("tags", [])
    if len(tags) > 1 or not set(tags) <= set(TAGS):
        raise InputError(f"{place}: expected one tag of {', '.join(TAGS)} or none, got {', '.join(tags)}")
    if tags and TAGS[tags[0]] != cell.cell_type:
        raise InputError(f"{place}: expected a {TAGS[tags[0]]} cell for the tag {tags[0]}, got {cell.cell_type}")
    if cell.cell_type == "code":
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            raise InputError(f"{place}: no Python, line {error.lineno} of the cell: {error.msg}") from error
    if tags == ["exercise"]:
        _refuse_faults_of_exercise(cell.source, place)
    elif re.search(f"^({BEGIN}|{END})", cell.source, re.MULTILINE):
        raise InputError(f'{place}: it has a mark of an exercise, and no tag; write # %% tags=["exercise"]')
    if tags == ["check"] and _call_of_check(cell.source) is None:
        raise InputError(f'{place}: expected one call such as course.check("conv2d_dx", my_conv2d_dx)')


def _refuse_faults_of_exercise(source: str, place: str) -> None:
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or not body[0].name.startswith("my_"):
        raise InputError(f"{place}: an exercise is one function my_..., and nothing else")
    try:
        short = ast.parse(stub(source))
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    if any(isinstance(node, ast.Return) for node in ast.walk(short)):
        raise InputError(f"{place}: a return is outside the marks; a stub returns nothing")


def _only_line(lines: list[str], mark: str) -> int:
    found = [i for i, line in enumerate(lines) if re.fullmatch(mark, line)]
    if len(found) != 1:
        words = re.sub(r" \*|[()\\?]", "", mark).replace("d+", "N")
        raise InputError(f"expected one line {words!r}, found {len(found)}")
    return found[0]


def _call_of_check(source: str) -> ast.Call | None:
    """Return the call of course.check that is all of a cell, or None."""
    match ast.parse(source).body:
        case [ast.Expr(ast.Call(ast.Attribute(attr="check"), [ast.Constant(), ast.Name()], []) as call)]:
            return call
    return None


def _seen_by_students(cell: NotebookNode) -> str:
    tag = tag_of(cell)
    return stub(cell.source) if tag == "exercise" else YOUR_ANSWER if tag == "answer" else cell.source


def _new_id(source: str, taken: set[str]) -> str:
    """Return an id that a cell keeps while others, and its solution, come and go."""
    again = 0
    while (new := hashlib.sha256(f"{again}{source}".encode()).hexdigest()[:8]) in taken:
        again += 1
    taken.add(new)
    return new


def _one_level_deeper(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")
    return notebook
