"""The notebooks: what is built equals its source, pages run without warnings, and stubs fail with a helpful message."""

import ast
import copy
import functools
import importlib.util
import itertools
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")
pytest.importorskip("nbclient", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")

import nbformat

import build
import claims
import editions
import execute
from minunet import course
from minunet.course.exercises import by_notebook
from minunet.gpu import gpu_is_there

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = {path.stem: path for path in sorted((NOTEBOOKS / "source").glob("*.py"))}
README = (NOTEBOOKS / "README.md").read_text()
OTHER_LINES_HERE = {  # pages that print other lines than the stored ones on this machine
    "13_on_the_gpu": gpu_is_there(),
    "19_pytorch_and_a_tiny_autograd": importlib.util.find_spec("torch") is None,
}


@functools.cache
def page_of(name):
    """Read a source once for all tests of a process; copy the notebook before changing it."""
    return editions.read_source(SOURCES[name])


@pytest.fixture(params=SOURCES)
def notebook(request):
    """Return the notebook of each source, a copy for each test."""
    return copy.deepcopy(page_of(request.param))


@pytest.mark.slow
def test_built_notebooks_equal_their_sources():
    assert build.check(NOTEBOOKS, list(SOURCES.values())) == []


@pytest.mark.slow
def test_marks_of_numbers_are_in_no_edition_and_can_be_read():
    marked = 0
    for name, path in SOURCES.items():
        marks = path.read_text().count("<!--")
        assert len(claims.claims_of(path)) == marks, (
            f"{name}: a mark must follow its number and be {{expression:format}}"
        )
        assert not any("<!--" in cell.source for cell in page_of(name).cells)
        marked += marks
    assert marked > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_a_page_runs_without_an_error_or_a_warning(name, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    is_shortened = "MINUNET_QUICK" in SOURCES[name].read_text()  # then its numbers are not those of the full page
    numbers = [] if is_shortened else claims.claims_of(SOURCES[name])
    notebook = execute.execute(copy.deepcopy(page_of(name)), name, NOTEBOOKS, quick=True, claims=numbers)
    for cell in notebook.cells:
        if editions.tag_of(cell) == "check":
            assert "#009E73" in cell.outputs[0].data["text/html"], cell.source
    if OTHER_LINES_HERE.get(name):
        return
    stored = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    changed = claims.cells_that_print_otherwise(notebook, stored)
    if is_shortened:  # what it prints of its training may be other lines
        changed = [cell for cell in changed if cell.startswith("course.")]
    assert changed == [], f"run python notebooks/build.py {name[:2]}"


@pytest.mark.parametrize("name", SOURCES)
def test_a_page_checks_the_exercises_of_its_own_module(name):
    notebook = page_of(name)
    exercises = [exercise.name for exercise in by_notebook().get(name, [])]
    assert editions.checks(notebook) == {exercise: f"my_{exercise}" for exercise in exercises}
    tagged = [editions.tag_of(cell) for cell in notebook.cells]
    assert tagged.count("exercise") == tagged.count("check") >= 1
    assert tagged.count("exercise") + tagged.count("answer") >= 3


def test_student_stubs_are_not_written_yet_and_nothing_else(notebook):
    student = editions.student(notebook)
    names = claims.imports_of(notebook)
    for cell in student.cells:
        if editions.tag_of(cell) == "exercise":
            exec(cell.source, names)
    for exercise, function in editions.checks(student).items():
        verdict = course.check(exercise, names[function])
        assert not verdict.ok
        (line,) = verdict.lines
        assert line.startswith("not written yet: "), f"{function}: {line}"


def test_lessons_and_checks_need_no_solution_of_a_student(notebook):
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        own = {node.name for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.FunctionDef)}
        allowed = own if editions.tag_of(cell) != "check" else set(editions.checks(notebook).values())
        assert not {name for name in used if name.startswith("my_")} - allowed, cell.source


def test_a_page_has_40_to_68_cells_beside_its_checks_and_answers(notebook):
    assert 40 <= sum(editions.tag_of(cell) not in ("check", "answer") for cell in notebook.cells) <= 68


@pytest.mark.parametrize("word", ["Exercise", "Question"])
def test_exercises_and_questions_are_numbered_alike(notebook, word):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(rf"\*\*{word}[^*]*\*\*", text) == re.findall(rf"\*\*{word} \d+\.\*\*", text)
    numbers = [int(number) for number in re.findall(rf"\*\*{word} (\d+)", text)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_cell_reads_a_file_of_the_repository(notebook):
    """A page runs in Colab, or in a student's folder, where minunet is installed and nothing else is near."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not re.search(r"\bcwd\b|__file__|benchmarks|\.\./", cell.source), cell.source


def test_each_answer_follows_its_own_question(notebook):
    """The sheet for the teacher shows an answer below the question before it."""
    asked = []
    for cell in notebook.cells:
        if editions.tag_of(cell) == "answer":
            assert asked.count("Question") == 1 or (asked and "Question" not in asked), cell.source
            asked = []
        elif cell.cell_type == "markdown":
            asked += re.findall(r"\*\*(Exercise|Question) \d", cell.source)


def test_every_page_ends_with_three_lines_and_where_to_read_more(notebook):
    titles = re.findall(r"^## (.*)$", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
    assert titles[-2:] == ["In three lines", "Where to read more"]


def test_a_power_is_not_taken_for_bold_type(notebook):
    """In markdown the text between two ** is bold, so that two powers in a paragraph need backticks."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|^    .*?$|`[^`]*`|\$[^$]*\$", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            assert not re.search(r"\w\)?\*\*\(", prose), cell.source


def test_no_line_in_the_middle_of_a_paragraph_looks_like_a_list(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for before, line in itertools.pairwise(cell.source.split("\n")):
                begins_list = before.strip() == "" or re.match(r" |[-*+] |\d+\. ", before)
                assert begins_list or not re.match(r"[-*+] |\d+\. ", line), line


@pytest.mark.parametrize("edition", ["executed", *build.EDITIONS])
def test_links_into_the_repository_lead_somewhere(notebook, edition):
    folder = NOTEBOOKS if edition == "executed" else NOTEBOOKS / edition
    if edition != "executed":
        notebook = build.EDITIONS[edition](notebook, "a page", None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
                other = link.removesuffix(".ipynb") in SOURCES  # a page that may not be built yet
                assert "://" in link or other or Path(os.path.normpath(folder / link)).exists(), link


def test_the_readme_lists_each_notebook_with_its_exercises(notebook, request):
    name = request.node.callspec.params["notebook"]
    tags = [editions.tag_of(cell) for cell in notebook.cells]
    counts = f"{tags.count('exercise')} + {tags.count('answer')}"
    row = re.search(rf"^\| {name[:2]} \| \[.*\]\({name}\.ipynb\) \|.*$", README, re.MULTILINE)
    assert row, f"no row for {name}.ipynb in notebooks/README.md"
    assert f"| {counts} |" in row[0], f"{name}: the row should say {counts} exercises"


def test_the_readme_says_what_each_edition_is():
    folders = {path.parent.name for path in NOTEBOOKS.glob("*/01_gradients.ipynb")}
    assert folders == set(build.EDITIONS) == set(re.findall(r"^\| \[(\w+)/\]", README, re.MULTILINE))


def test_links_of_the_readme_lead_somewhere():
    for link in re.findall(r"\]\(([^)#\s]+)\)", README):
        assert "://" in link or (NOTEBOOKS / link).exists(), link


def test_committed_notebooks_are_small_enough_to_be_shown():
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert path.stat().st_size <= build.LARGEST, path.name
