"""Build the course as a web site that runs in the browser: python notebooks/lite.py FOLDER

Python, NumPy and the pages run in the reader's browser (JupyterLite, Pyodide): nothing to install, and no server but
one for plain files. Needs, beside the extra notebooks:

    python -m pip install jupyterlite-core jupyterlite-pyodide-kernel jupyter_server

The browser loads Python and NumPy from Pyodide's own address on the web when a page is opened. To look at the site:

    python -m http.server --directory FOLDER
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from build import find_sources
from colab import ROOT, address_of, lite
from editions import read_source
from minunet.errors import InputError

LEFT_OUT = ("13", "15")  # these pages start threads and processes, which a browser does not have
REMEDY = "python -m pip install jupyterlite-core jupyterlite-pyodide-kernel jupyter_server"


def main() -> int:
    """Build the site; return 0, or 1 after a line that says what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="FOLDER", help="a new folder for the site")
    options = parser.parse_args()
    try:
        build_site(options.out)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build_site(out: Path) -> None:
    """Write the site, with minunet's wheel and the students' pages in it, to a new folder."""
    if out.exists():
        raise InputError(f"expected a new folder, {out} exists; choose another one, or remove it")
    with tempfile.TemporaryDirectory() as scratch:
        contents = Path(scratch) / "contents"
        write_pages(contents)
        wheel = make_wheel(Path(scratch))
        command = [sys.executable, "-m", "jupyter", "lite", "build", f"--contents={contents}"]
        command += [f"--piplite-wheels={wheel}", f"--output-dir={out.resolve()}", f"--lite-dir={scratch}"]
        command += ["--apps=lab", "--apps=notebooks", "--no-sourcemaps"]
        _run(command, scratch)


def make_wheel(folder: Path) -> Path:
    """Build minunet's wheel from a copy of its files, since a build leaves others beside them; return the wheel."""
    project = folder / "project"
    project.mkdir()
    for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "minunet_command.py", "minunet_pytest.py"):
        shutil.copy(ROOT / file, project)
    shutil.copytree(ROOT / "minunet", project / "minunet", ignore=shutil.ignore_patterns("__pycache__"))
    _run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", f"--wheel-dir={folder}", str(project)], folder)
    (wheel,) = folder.glob("minunet-*.whl")
    return wheel


def write_pages(folder: Path) -> None:
    """Write the students' copies of all pages that need neither threads nor processes."""
    folder.mkdir()
    for path in find_sources(ROOT / "notebooks", []):
        if path.name[:2] not in LEFT_OUT:
            nbformat.write(lite(read_source(path), address_of()), folder / f"{path.stem}.ipynb")


def _run(command: list[str], folder: Path | str) -> None:
    if subprocess.run(command, cwd=folder).returncode:
        raise InputError(f"`{' '.join(command[2:4])}` failed, as it says above; is it installed? {REMEDY}")


if __name__ == "__main__":
    sys.exit(main())
