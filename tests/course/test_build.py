"""Building a page: its editions, faults in a source, and what a page must not show."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")
pytest.importorskip("nbclient", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")

import nbformat

import build
import claims
import editions
import execute
from minunet import conv2d_backward, course
from minunet.errors import InputError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TINY = '''\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A page
# about [conv.py](../minunet/layers/conv.py)

# %%
import os
from minunet import conv2d_backward, course
print("quick" if "MINUNET_QUICK" in os.environ else "in full", "MINUNET_DATA" in os.environ)

# %% tags=["exercise"]
def my_conv2d_dx(dy, cache):
    """Return dx, (N, C, H, W)."""
    x, weight = cache
    # your code: about 2 lines
    dx, _, _ = conv2d_backward(dy, cache)
    return dx
    # end of your code

# %% tags=["check"]
course.check("conv2d_dx", my_conv2d_dx)

# %% [markdown] tags=["answer"]
# Because.
'''


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the source of one small page."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_page.py").write_text(TINY)
    return tmp_path


def fault_in(folder, before, after):
    """Change the small page; return the fault for which building it is refused."""
    assert TINY.count(before) >= 1
    path = folder / "source" / "01_page.py"
    path.write_text(TINY.replace(before, after))
    with pytest.raises(InputError) as error:
        execute.execute(editions.read_source(path), "01_page", folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
def test_three_editions_of_one_source(folder, monkeypatch, capsys):
    monkeypatch.setenv("MINUNET_DATA", "somewhere")  # pages are made without data that may not be passed on
    assert build.main(["--folder", str(folder)]) == 0
    assert re.fullmatch(r"01_page +\d+\.\d s, +\d+\.\d s of CPU, +0\.\d\d MB\n", capsys.readouterr().out)
    assert build.main(["--folder", str(folder), "--check"]) == 0
    read = {place: nbformat.read(folder / place / "01_page.ipynb", 4).cells for place in ("", "student", "solutions")}
    assert len({tuple(cell.id for cell in cells) for cells in read.values()}) == 1
    text, code, exercise, check, answer = read[""]
    assert code.outputs[0].text == "in full False\n"
    assert "#009E73" in check.outputs[0].data["text/html"]
    assert [cell.metadata.get("jupyter") for cell in read[""]] == [
        None,
        None,
        hidden := {"source_hidden": True},
        None,
        hidden,
    ]
    assert "return dx" in exercise.source and answer.source == "Because."
    for place in ("student", "solutions"):
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in read[place])
        assert not any("jupyter" in cell.metadata for cell in read[place])
        assert read[place][0].source.endswith("(../../minunet/layers/conv.py)")
    assert [cell.source for cell in read["solutions"][1:]] == [cell.source for cell in read[""][1:]]
    assert read["student"][2].source.split("\n", 2)[2] == "    x, weight = cache\n    ...  # about 2 lines"
    assert read["student"][4].source == "*Your answer:*"


@pytest.mark.slow
def test_a_build_is_the_same_every_time(folder):
    bytes_of = []
    for _ in range(2):
        assert build.main(["01", "--folder", str(folder)]) == 0
        made = [path for path in sorted(folder.rglob("*.ipynb"))]
        assert len(made) == 5
        bytes_of.append([path.read_bytes() for path in made])
    assert bytes_of[0] == bytes_of[1]


def test_check_names_what_is_not_made_from_its_source(folder, capsys):
    notebook = editions.read_source(folder / "source" / "01_page.py")
    for edition, made in build._unexecuted(notebook, "01_page").items():
        build._write(made, folder / edition / "01_page.ipynb")
    executed = editions.folded(notebook)
    build._write(executed, folder / "01_page.ipynb")

    def faults():
        assert build.main(["--folder", str(folder), "--check"]) in (0, 1)
        return re.findall(r"error: (\S+) (?:is not what|has no source)", capsys.readouterr().err)

    assert faults() == ["01_page.ipynb"]  # as it was not executed
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    build._write(executed, folder / "01_page.ipynb")
    assert faults() == []
    (folder / "source" / "01_page.py").write_text(TINY.replace("Because", "For"))
    with_solutions = ["solutions/01_page.ipynb", "nbgrader/01_page.ipynb", "01_page.ipynb"]
    assert faults() == with_solutions  # to students it is the same
    (folder / "source" / "01_page.py").write_text(TINY)
    shutil.copy(folder / "student" / "01_page.ipynb", folder / "student" / "02_gone.ipynb")
    assert faults() == ["student/02_gone.ipynb"]
    (folder / "student" / "02_gone.ipynb").unlink()
    (folder / "solutions" / "01_page.ipynb").unlink()
    assert faults() == ["solutions/01_page.ipynb"]


def test_a_fault_in_one_page_is_one_line_and_the_others_are_built(folder, monkeypatch, capsys):
    (folder / "source" / "00_broken.py").write_text(TINY.replace("# end of your code", ""))
    monkeypatch.setattr(build, "execute", lambda notebook, *_, **__: notebook)
    assert build.main(["--folder", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("01_page ")
    first = "00_broken, cell 3 ('def my_conv2d_dx(dy, cache):')"
    assert err == f"error: {first}: expected one line '# end of your code', found 0\n"
    assert build.main(["--folder", str(folder), "7"]) == 1
    assert capsys.readouterr().err == "error: a notebook must be one of 00, 01, got '7'\n"
    monkeypatch.setattr(build, "LARGEST", 1000)
    assert build.main(["--folder", str(folder), "01"]) == 1
    assert re.match(r"error: 01_page\.ipynb would have [\d,]+ bytes, more than 1,000", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("    # your code: about 2 lines\n", "", "expected one line '# your code: about N lines', found 0"),
        ("about 2 lines", "some lines", "expected one line '# your code: about N lines', found 0"),
        ('"exercise"', '"exercice"', "expected one tag of exercise, check, answer or none, got exercice"),
        ('# %% tags=["exercise"]', "# %%", 'it has a mark of an exercise, and no tag; write # %% tags=["exercise"]'),
        ("def my_", "def your_", "an exercise is one function my_..., and nothing else"),
        ("    # your code", "    return x\n    # your code", "a return is outside the marks; a stub returns nothing"),
        ('course.check("conv2d_dx", my', 'print("conv2d_dx", my', "expected one call such as course.check("),
        ('[markdown] tags=["answer"]', 'tags=["answer"]', "expected a markdown cell for the tag answer, got code"),
        ("x, weight = cache", "x, weight == = cache", "no Python, line 3 of the cell: invalid syntax"),
    ],
)
def test_a_fault_in_a_source_is_named_with_its_cell(folder, before, after, message):
    fault = fault_in(folder, before, after)
    assert re.match(r"01_page, cell [3-5] \('.*'\): ", fault)
    assert message in fault


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "cell 2 ('1 / 0'): ZeroDivisionError: division by zero"),
        ("import os\nos._exit(1)", "cell 2 ('import os'): Kernel died"),
        ("import warnings\nwarnings.warn('eek')", "cell 2 ('import warnings'): it warns: "),
    ],
)
def test_a_page_with_an_error_or_a_warning_is_refused(folder, code, message):
    path = folder / "source" / "01_page.py"
    path.write_text(f"# %% [markdown]\n# A page\n\n# %%\n{code}\n")
    with pytest.raises(InputError, match=re.escape(message)) as error:
        execute.execute(editions.read_source(path), "01_page", folder)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_number_in_a_sentence_that_the_page_does_not_compute_is_refused(folder):
    path = folder / "source" / "01_page.py"
    says = "Half of 5 is 2.5<!--{half:.1f}-->, a 7th 0.8<!--{5/7:.1f}-->."
    path.write_text(TINY.replace("Because.", says) + "\n# %%\nhalf = 5 / 2\n")
    with pytest.raises(InputError, match=r"^01_page: the text says 0.8, \{5/7:.1f\} is 0.7$"):
        execute.execute(editions.read_source(path), "01_page", folder, claims=claims.claims_of(path))


def test_a_printed_source_that_the_library_no_longer_has_is_found(folder, capsys):
    (folder / "source" / "01_page.py").write_text(TINY + "\n# %%\ncourse.show_source(conv2d_backward)\n")
    executed = editions.folded(editions.read_source(folder / "source" / "01_page.py"))
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    for source, faults in ((course.show_source(conv2d_backward).data, 0), ("def conv2d_backward(dy, cache): ...", 1)):
        output = nbformat.v4.new_output("execute_result", data={"text/plain": source}, execution_count=1)
        executed.cells[-1].outputs = [output]
        build._write(executed, folder / "01_page.ipynb")
        build.main(["--folder", str(folder), "--check"])
        assert capsys.readouterr().err.count("prints an old source at course.show_source(conv2d_backward)") == faults


def test_an_output_that_differs_from_machine_to_machine_is_refused():
    def shown(text):
        return execute.fault_of(nbformat.v4.new_output("execute_result", data={"text/plain": text}))

    assert "an address, which changes every time: Line2D at 0x7f00aa00bb00" in shown("[<Line2D at 0x7f00aa00bb00>]")
    for folder in (Path.home(), Path(tempfile.gettempdir()), NOTEBOOKS.parent):
        assert "it shows a path of this machine" in shown(f"File {folder}/x.py")
    assert shown("at 0x10, ../minunet/layers/conv.py, and /usr") is None


@pytest.mark.slow
def test_the_module_is_the_command(folder):
    command = [sys.executable, NOTEBOOKS / "build.py", "--check", "--folder", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == len(build.EDITIONS) + 1  # and the executed page


def test_what_a_page_prints_otherwise_than_it_shows_is_found_numbers_aside():
    def page(*texts):
        outputs = [nbformat.v4.new_output("stream", text=text) for text in texts]
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(it)\n# twice", outputs=outputs)])

    stored = page("error 1.2e-10 (3 of 5)\n")
    assert claims.cells_that_print_otherwise(page("error  9e-11 (-4 of 1,000)\n"), stored) == []
    for other in (page("error 1.2e-10\n(3 of 5)\n"), page("errors 1.2e-10 (3 of 5)\n"), page()):
        assert claims.cells_that_print_otherwise(other, stored) == ["print(it)"]
