"""Student pages for Colab, Binder and JupyterLite: no checkout is near, and the first code cell installs minunet.

All links and badges are made from one address, which setup.cfg may give, a repository on GitHub:

    [metadata]
    project_urls =
        Source = https://github.com/OWNER/NAME

Without it there are no badges, a link to a file becomes the file's name, and Colab installs minunet from a wheel that
lies beside the page.
"""

import configparser
import copy
import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from editions import student
from minunet.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
GITHUB = r"https://github\.com/([\w.-]+/[\w.-]+)"
LINK = r"\[([^\]]+)\]\(([^)\s]+)\)"
INSTALL = """\
# Installs minunet where it is missing, such as in Colab; that takes about half a minute.
try:
    import minunet
except ImportError:
    %pip install -q {source}"""
FROM_A_WHEEL = "minunet-*.whl  # put this file beside the page first: python -m pip wheel --no-deps PROJECT makes it"
INSTALL_LITE = """\
# Installs minunet, NumPy, SciPy and Matplotlib in your browser; the first time takes a minute.
%pip install -q minunet"""


def colab(notebook: NotebookNode, name: str, address: str | None) -> NotebookNode:
    """Return a student's copy of a page that runs in Colab, on Binder, or in any other folder on its own.

    Parameters
    ----------
    notebook : NotebookNode
        As from `read_source`.
    name : str
        The page's name, such as 02_convolution.
    address : str or None
        As from `address_of`.
    """
    notebook = student(notebook)
    for cell in _markdown_cells(notebook):
        cell.source = re.sub(LINK, lambda link: _absolute(*link.groups(), address), cell.source)
    source = f'"minunet @ git+{address}"' if address else FROM_A_WHEEL
    return with_badges(_with_first_code(notebook, INSTALL.format(source=source)), name, address)


def lite(notebook: NotebookNode, address: str | None) -> NotebookNode:
    """Return a student's copy of a page for JupyterLite, beside the other pages: Python runs in the browser."""
    notebook = student(notebook)
    for cell in _markdown_cells(notebook):
        cell.source = re.sub(LINK, lambda link: _absolute(*link.groups(), address, pages_are_near=True), cell.source)
    return _with_first_code(notebook, INSTALL_LITE)


def with_badges(notebook: NotebookNode, name: str, address: str | None) -> NotebookNode:
    """Return a copy with badges under the title that open the page in Colab and on Binder, if there is an address."""
    notebook = copy.deepcopy(notebook)
    if address:
        title, *text = notebook.cells[0].source.split("\n")
        badges = f"{_badge('Colab', _in_colab(name, address))} {_badge('Binder', _on_binder(name, address))}"
        notebook.cells[0].source = "\n".join([title, "", badges, *text])
    return notebook


def address_of(setup: Path = ROOT / "setup.cfg") -> str | None:
    """Return the address of the repository in setup.cfg, or None; raise InputError if it is not GitHub's."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(setup, encoding="utf-8")
    urls = config.get("metadata", "project_urls", fallback="").split("\n")
    named = dict(re.split(r"\s*=\s*", line.strip(), maxsplit=1) for line in urls if "=" in line)
    address = named.get("Source", "").rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(GITHUB, address):
        raise InputError(
            f"{setup.name}: expected Source = https://github.com/OWNER/NAME, since Colab opens pages from there, "
            f"got {named['Source']}; leave it out to have no badges"
        )
    return address or None


def _absolute(text: str, target: str, address: str | None, pages_are_near: bool = False) -> str:
    """Return a link that leads somewhere from anywhere; without an address, the name of what it leads to."""
    if re.match(r"https?://", target):
        return f"[{text}]({target})"
    file, _, anchor = target.partition("#")
    path = os.path.normpath(os.path.join("notebooks/student", file)).replace(os.sep, "/")
    if path.startswith("notebooks/student/"):  # another page
        page = file.removesuffix(".ipynb")
        return f"[{text}]({file})" if pages_are_near else f"[{text}]({_in_colab(page, address)})" if address else text
    if address:
        return f"[{text}]({address}/blob/{BRANCH}/{path}{'#' + anchor if anchor else ''})"
    return f"`{path}`"


def _badge(where: str, link: str) -> str:
    picture = {
        "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
        "Binder": "https://mybinder.org/badge_logo.svg",
    }[where]
    return f"[![Open in {where}]({picture})]({link})"


def _in_colab(name: str, address: str) -> str:
    repository = re.fullmatch(GITHUB, address)[1]
    return f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/notebooks/colab/{name}.ipynb"


def _on_binder(name: str, address: str) -> str:
    repository = re.fullmatch(GITHUB, address)[1]
    return f"https://mybinder.org/v2/gh/{repository}/{BRANCH}?labpath=notebooks/colab/{name}.ipynb"


def _markdown_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _with_first_code(notebook: NotebookNode, source: str) -> NotebookNode:
    """Put a code cell below the title."""
    notebook.cells.insert(1, nbformat.v4.new_code_cell(source, id="install"))
    return notebook
