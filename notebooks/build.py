"""Make the notebooks from their sources: python notebooks/build.py [02 07 ...], or --check to compare without running.

source/NN_name.py  ->  NN_name.ipynb   executed, outputs in, solutions folded
                       student, solutions, nbgrader and colab/NN_name.ipynb, without outputs: see EDITIONS
"""

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from claims import claims_of, old_sources
from colab import address_of, colab, with_badges
from editions import folded, read_source, solutions, student
from execute import execute
from minunet.errors import InputError
from minunet.files import replace_atomically
from nbgrader_edition import nbgrader

LARGEST = 1_500_000  # bytes; code hosts may not show larger notebooks
REMEDY = "run python notebooks/build.py"
EDITIONS = {  # folder -> how a page's copy for it is made, from (page, name, address); all but the executed one
    "student": lambda page, name, address: student(page),  # stubs to fill in
    "solutions": lambda page, name, address: solutions(page),
    "nbgrader": lambda page, name, address: nbgrader(page),  # solutions, with nbgrader's metadata
    "colab": colab,  # stubs, for Colab and Binder
}


def main(arguments: list[str] | None = None) -> int:
    """Build or check the notebooks; return 0, or 1 after a line for each fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="such as 02; default all")
    parser.add_argument("--check", action="store_true", help="compare the notebooks with their sources; runs nothing")
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent, help="the folder that holds source/; default: this one"
    )
    options = parser.parse_args(arguments)
    try:
        sources = find_sources(options.folder, options.numbers)
        faults = check(options.folder, sources) if options.check else build(options.folder, sources)
    except InputError as error:
        faults = [str(error)]
    print("".join(f"error: {fault}\n" for fault in faults), end="", file=sys.stderr)
    return 1 if faults else 0


def find_sources(folder: Path, numbers: list[str]) -> list[Path]:
    """Return the sources with these numbers, or all; raise InputError if one is missing."""
    sources = sorted((folder / "source").glob("[0-9][0-9]_*.py"))
    known = [path.name[:2] for path in sources]
    for number in numbers:
        if number not in known:
            raise InputError(f"a notebook must be one of {', '.join(known) or 'none'}, got {number!r}")
    return [path for path in sources if not numbers or path.name[:2] in numbers]


def build(folder: Path, sources: list[Path]) -> list[str]:
    """Write the editions of each source and print its times; return the faults."""
    faults = []
    for path in sources:
        began, cpu = time.monotonic(), _cpu_seconds()
        try:
            notebook = read_source(path)
            executed = execute(_with_solutions_folded(notebook, path.stem), path.stem, folder, claims=claims_of(path))
            if len(text := _text(executed).encode()) > LARGEST:
                raise InputError(f"{path.stem}.ipynb would have {len(text):,} bytes, more than {LARGEST:,}: draw less")
        except InputError as error:
            faults.append(str(error))
            continue
        _write(executed, folder / f"{path.stem}.ipynb")
        for edition, made in _unexecuted(notebook, path.stem).items():
            _write(made, folder / edition / f"{path.stem}.ipynb")
        seconds, cpu = time.monotonic() - began, _cpu_seconds() - cpu
        print(f"{path.stem:<32} {seconds:6.1f} s, {cpu:6.1f} s of CPU, {len(text) / 1e6:5.2f} MB", flush=True)
    return faults


def check(folder: Path, sources: list[Path]) -> list[str]:
    """Return a fault for each notebook that differs from what its source makes, and for each without a source."""
    faults = []
    for path in sources:
        try:
            notebook = read_source(path)
        except InputError as error:
            faults.append(str(error))
            continue
        for edition, made in _unexecuted(notebook, path.stem).items():
            if _read(folder / edition / f"{path.stem}.ipynb") != _text(made):
                faults.append(f"{edition}/{path.stem}.ipynb is not what its source makes; {REMEDY} {path.name[:2]}")
        text = _read(folder / f"{path.stem}.ipynb")
        executed = nbformat.reads(text, as_version=4) if text else nbformat.v4.new_notebook()
        for call in old_sources(executed):
            faults.append(f"{path.stem}.ipynb prints an old source at {call}; {REMEDY} {path.name[:2]}")
        if _text(_without_outputs(executed)) != _text(_with_solutions_folded(notebook, path.stem)):
            faults.append(f"{path.stem}.ipynb is not what its source makes; {REMEDY} {path.name[:2]}")
    names = {path.stem for path in find_sources(folder, [])}
    editions = [path for edition in EDITIONS for path in folder.glob(f"{edition}/*.ipynb")]
    for made in sorted([*folder.glob("*.ipynb"), *editions]):
        if made.stem not in names:
            faults.append(f"{made.relative_to(folder)} has no source; remove it")
    return faults


def _with_solutions_folded(notebook: NotebookNode, name: str) -> NotebookNode:
    return with_badges(folded(notebook), name, address_of())


def _unexecuted(notebook: NotebookNode, name: str) -> dict[str, NotebookNode]:
    """Return {edition: its copy of a page} of all editions that have no outputs."""
    return {edition: make(notebook, name, address_of()) for edition, make in EDITIONS.items()}


def _without_outputs(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if cell.source and cell.execution_count is None:
                cell.source += "\n# was not executed"  # differs from its source
            cell.outputs, cell.execution_count = [], None
    return notebook


def _text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(notebook: NotebookNode, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    replace_atomically(path, lambda temporary: temporary.write_text(_text(notebook), encoding="utf-8", newline="\n"))


def _cpu_seconds() -> float:
    """Return the processor time of all kernels that have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
