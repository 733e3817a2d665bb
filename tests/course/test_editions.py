"""The edition for Colab and Binder runs where there is only an installed minunet, and leads nowhere else."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")
pytest.importorskip("nbclient", reason="notebooks need Jupyter: python -m pip install -e '.[test]'")

import nbformat
from nbclient import NotebookClient

import colab
import editions
import lite
import minutes
import slides
from minunet.errors import InputError

ROOT = Path(__file__).parents[2]
SOURCES = {path.stem: path for path in sorted((ROOT / "notebooks" / "source").glob("*.py"))}
ADDRESS = "https://github.com/somebody/minunet"
LINKS = """\
See [conv.py](../minunet/layers/conv.py), [what ran on
a GPU](../benchmarks/README.md#on-a-gpu), [notebook 10](10_any_size.ipynb), [a paper](https://arxiv.org/abs/1505.04597)
and `x[i](y)`; [dx](dy) is none.
"""


@functools.cache
def page_of(name):
    """Read a source once for all tests of a process; no edition changes it."""
    return editions.read_source(SOURCES[name])


@pytest.fixture(params=SOURCES)
def page(request):
    """Return the name and the notebook of each source."""
    return request.param, page_of(request.param)


@pytest.fixture
def small():
    """Return a page of two cells: a title with links, and code."""
    cells = [nbformat.v4.new_markdown_cell(f"# 01 A page\n\n{LINKS}"), nbformat.v4.new_code_cell("import minunet")]
    return nbformat.v4.new_notebook(cells=cells)


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("address", [None, ADDRESS])
def test_every_page_installs_minunet_first_and_leads_to_no_file_near_it(page, address):
    name, notebook = page
    made = colab.colab(notebook, name, address)
    nbformat.validate(made)
    first, *others = code_of(made)
    assert "%pip install" in first and not any("%pip" in source for source in others)
    assert others == code_of(editions.student(notebook))
    for cell in made.cells:
        if cell.cell_type == "markdown":
            links = re.findall(r"\]\(([\w.][^)\s]*)\)", re.sub(r"`[^`]*`|\$[^$]*\$", "", cell.source))
            assert [link for link in links if not link.startswith("https://")] == []
    badges = re.findall(r"\[!\[Open in", made.cells[0].source)
    assert len(badges) == (2 if address else 0)


def test_an_answer_ends_with_its_rubric_and_students_do_not_see_it(page):
    name, notebook = page
    answers = [cell.source for cell in notebook.cells if editions.tag_of(cell) == "answer"]
    for answer in answers:
        *_, last = answer.split("\n\n")
        assert re.match(r"\*\*Rubric, [1-9] points?\.\*\* ", last), answer
    assert "Rubric" not in "".join(cell.source for cell in editions.student(notebook).cells)


def test_no_page_needs_a_file_of_a_checkout(page):
    """A text in its code that begins with a folder of the repository, or leads upwards, would be a path to one."""
    folders = r"\.\./|notebooks/|minunet/|tests/|benchmarks/"
    for source in code_of(page[1]):
        texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
        assert [text for text in texts if isinstance(text, str) and re.match(folders, text)] == []
        assert "__file__" not in source


def test_links_are_made_from_the_address(small):
    title, install, _ = colab.colab(small, "01_page", ADDRESS).cells
    assert title.source.startswith(
        "# 01 A page\n\n[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        "(https://colab.research.google.com/github/somebody/minunet/blob/main/notebooks/colab/01_page.ipynb) "
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        "(https://mybinder.org/v2/gh/somebody/minunet/main?labpath=notebooks/colab/01_page.ipynb)\n"
    )
    assert f"[conv.py]({ADDRESS}/blob/main/minunet/layers/conv.py)" in title.source
    assert f"a GPU]({ADDRESS}/blob/main/benchmarks/README.md#on-a-gpu)" in title.source
    assert "github/somebody/minunet/blob/main/notebooks/colab/10_any_size.ipynb)" in title.source
    assert "[a paper](https://arxiv.org/abs/1505.04597)" in title.source
    assert f'%pip install -q "minunet @ git+{ADDRESS}"' in install.source


def test_without_an_address_none_is_made_up(small):
    title, install, _ = colab.colab(small, "01_page", None).cells
    assert title.source.startswith(
        "# 01 A page\n\nSee `minunet/layers/conv.py`, `benchmarks/README.md`, notebook 10, [a paper](https://arxiv"
    )
    assert "github" not in title.source + install.source
    assert "%pip install -q minunet-*.whl" in install.source
    assert colab.with_badges(small, "01_page", None) == small


def test_in_jupyterlite_the_other_pages_are_near(small):
    title, install, _ = colab.lite(small, None).cells
    assert "[notebook 10](10_any_size.ipynb)" in title.source
    assert install.source.endswith("\n%pip install -q minunet")


@pytest.mark.slow
def test_the_site_for_browsers_has_all_pages_but_those_that_start_threads_or_processes(tmp_path):
    lite.write_pages(tmp_path / "pages")
    names = {path.stem for path in (tmp_path / "pages").iterdir()}
    starts = r"ThreadPoolExecutor\(|Thread\(|Popen\(|subprocess\.run\("
    assert names == {name for name, path in SOURCES.items() if not re.search(starts, path.read_text())}


def test_the_site_is_not_built_over_another(tmp_path):
    with pytest.raises(InputError, match="expected a new folder"):
        lite.build_site(tmp_path)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[metadata]\nname = minunet\n", None),
        (f"[metadata]\nproject_urls =\n    Docs = https://x.org\n    Source = {ADDRESS}\n", ADDRESS),
        (f"[metadata]\nproject_urls =\n    Source={ADDRESS}.git/\n", ADDRESS),
    ],
)
def test_the_address_is_one_setting(tmp_path, text, address):
    (tmp_path / "setup.cfg").write_text(text)
    assert colab.address_of(tmp_path / "setup.cfg") == address


def test_an_address_where_colab_opens_nothing_is_refused(tmp_path):
    (tmp_path / "setup.cfg").write_text("[metadata]\nproject_urls =\n    Source = https://git.example.org/a/b\n")
    with pytest.raises(InputError, match=r"Source = https://github.com/OWNER/NAME, .*, got https://git\.example\.org"):
        colab.address_of(tmp_path / "setup.cfg")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder outside the repository that holds what minunet's wheel holds."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = lite.make_wheel(tmp_path_factory.mktemp("wheel"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(folder), str(wheel)], check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["04_up_convolution"])  # one of the quickest
def test_a_page_runs_to_its_end_where_there_is_no_checkout(installed, tmp_path, monkeypatch, name):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("MINUNET_QUICK", "1")
    monkeypatch.delenv("MINUNET_DATA", raising=False)
    notebook = colab.colab(page_of(name), name, None)
    notebook.cells.append(nbformat.v4.new_code_cell("import minunet; print(minunet.__file__)"))
    folder = tmp_path / "content"
    folder.mkdir()
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert Path(outputs[-1].text.strip()).parents[1] == installed
    assert "not written yet" in "".join(output.get("data", {}).get("text/plain", "") for output in outputs)
    assert os.listdir(folder) == []


def test_slides_show_headings_blocks_questions_and_pictures_and_the_text_is_in_the_notes():
    picture = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    cells = [
        nbformat.v4.new_markdown_cell("# 01 A page\n\nWhat is it?\n\nA long story."),
        nbformat.v4.new_markdown_cell("## One pixel\n\nBy hand:\n\n```\ny = x\n```\nExpect 3."),
        nbformat.v4.new_code_cell("draw()", outputs=[picture]),
        nbformat.v4.new_markdown_cell("**Question 1.** Why?"),
        nbformat.v4.new_markdown_cell("Because.", metadata={"tags": ["answer"]}),
        nbformat.v4.new_markdown_cell("## In three lines\n\nAll of it.\n\n## Where to read more\n\nThere."),
    ]
    made = slides.slides_of(nbformat.v4.new_notebook(cells=cells))
    shown = [(cell.metadata.slideshow.slide_type, cell.source) for cell in made]
    assert [pair for pair in shown if pair[0] != "notes"] == [
        ("slide", "# 01 A page\n\nWhat is it?"),
        ("slide", "## One pixel\n\n```\ny = x\n```"),
        ("subslide", "## One pixel"),
        ("-", "picture"),
        ("subslide", "## One pixel\n\n**Question 1.** Why?"),
        ("slide", "## In three lines\n\nAll of it."),
    ]
    notes = " ".join(text for kind, text in shown if kind == "notes")
    assert "A long story." in notes and "Expect 3." in notes and "Because." not in notes


@pytest.mark.slow
def test_slides_become_one_page_of_html():
    pytest.importorskip("nbconvert", reason="slides need nbconvert: python -m pip install -e '.[notebooks]'")
    html = slides.as_html(slides.week_of(1), 1)
    assert "minunet, week 1" in html and html.count("<section") > 30 and "def my_" not in html


def test_the_minutes_that_teachers_read_are_those_that_are_counted(page):
    """Within 10, since a sentence more can change a rounded number."""
    name, notebook = page
    text = (ROOT / "notebooks" / "teaching.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {name[:2]} \| .* \| (\d+) \+ (\d+) \|$", text, re.MULTILINE)
    assert row, f"no row for {name} in notebooks/teaching.md"
    counted = minutes.minutes(notebook)
    assert all(abs(int(told) - number) <= 10 for told, number in zip(row.groups(), counted, strict=True)), counted
