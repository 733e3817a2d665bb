"""Run the quick tests on every Python that is found, with the oldest and the newest libraries that setup.cfg allows.

python -m pip install uv
python benchmarks/versions.py                                  everything
python benchmarks/versions.py --python 3.10 --tests tests/cli  one Python, some tests
python benchmarks/versions.py --archives                       wheel and source archive, outside of the repository

Nothing is compiled: the oldest release of a library is the oldest one that is ready-made for that Python. Whatever is
not found here is in the table, too, as not run.
"""

import argparse
import configparser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
WHICH = {"oldest": "lowest-direct", "newest": "highest"}  # as uv calls them
SHOWN = ("numpy", "scipy", "matplotlib", "pillow")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "build", "*.egg-info")
COMMANDS = (
    ["minunet", "--version"],
    ["minunet", "gradcheck", "conv2d", "unet"],
    ["minunet", "train", "--steps", "5", "--base-channels", "4", "--depth", "2", "--tile", "108", "--out", "run"],
    ["minunet", "predict", "run", "cell.png", "--out", "predicted"],
    ["minunet", "predict", "cell.png", "--out", "by-the-included-network"],
    ["minunet", "doctor", "--no-test"],
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", nargs="*", default=PYTHONS, help="versions; default " + " ".join(PYTHONS))
    parser.add_argument("--which", nargs="*", default=list(WHICH), choices=WHICH)
    parser.add_argument("--tests", nargs="*", default=[], help="default: all quick tests")
    parser.add_argument("--archives", action="store_true", help="try wheel and source archive instead")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
        for version in options.python:
            python = find_python(version)
            for which in options.which if python else [""]:
                began = time.monotonic()
                folder = Path(scratch) / f"{version}-{which}"
                if python is None:
                    result = "not run: this Python was not found"
                elif options.archives:
                    result = try_archives(python, which, tree, folder)
                else:
                    result = run_tests(python, which, tree, folder, options.tests)
                rows.append(f"| {version} | {which} | {result} | {time.monotonic() - began:.0f} s |")
                print(rows[-1], flush=True)
    tests = "the commands below" if options.archives else " ".join(options.tests) or "all quick tests"
    print(f"\nran {tests}\n\n| Python | libraries | result | time |\n|---|---|---|---|", *rows, sep="\n")


def find_python(version: str) -> str | None:
    """Return the path of an interpreter of this version: from the PATH, pyenv, or where uv keeps its own."""
    command = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", "--no-project", version]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))), None)


def requirements(*extras: str) -> list[str]:
    """Return what setup.cfg asks for, with these extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    parts = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in extras)]
    return [line for part in parts for line in part.split("\n") if line.strip()]


def run_tests(python: str, which: str, tree: Path, folder: Path, tests: list[str]) -> str:
    """Return what pytest says at the end, and the versions of some libraries."""
    error = make_environment(python, which, folder, [*requirements("test"), str(tree)])
    if error:
        return error
    command = [str(bin_of(folder) / "python"), "-m", "pytest", f"--basetemp={folder / 'pytest'}", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    (Path(tempfile.gettempdir()) / f"versions-{folder.name}.txt").write_text(done.stdout + done.stderr)
    summary = re.findall(r"^(?:=+ )?((?:\d+ \w+(?:, )?)+ in .*?)(?: =+)?$", done.stdout, re.MULTILINE)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    end = summary[-1] if summary else ("passed" if done.returncode == 0 else f"exit code {done.returncode}")
    return f"{end}; {versions(folder)}" + (f"; failed: {' '.join(failed[:5])}" if failed else "")


def try_archives(python: str, which: str, tree: Path, folder: Path) -> str:
    """Return whether wheel and source archive, each in its own environment, run the commands in an empty folder."""
    said = []
    built = folder / "built"
    run([sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", str(built), str(tree)])
    for archive in sorted(built.glob("minunet-*")):
        if archive.suffix not in (".whl", ".gz"):
            continue
        environment, empty = folder / archive.suffix[1:], folder / f"empty{archive.suffix}"
        error = make_environment(python, which, environment, [*requirements(), str(archive)])
        if error:
            return error
        empty.mkdir()
        picture = "import numpy, PIL.Image; a = numpy.random.default_rng(0).integers(0, 255, (90, 120), numpy.uint8)"
        run([str(bin_of(environment) / "python"), "-c", f"{picture}; PIL.Image.fromarray(a).save('cell.png')"], empty)
        for name, *arguments in COMMANDS:
            error = run([str(bin_of(environment) / name), *arguments], empty)
            if error:
                return f"{archive.name}: {name} {' '.join(arguments)}: {error}"
        said.append(f"{archive.name}: all {len(COMMANDS)} commands; {versions(environment)}")
    return "; ".join(said)


def make_environment(python: str, which: str, folder: Path, packages: list[str]) -> str:
    """Make a virtual environment with these packages, minunet last; return what went wrong, or nothing."""
    uv = [sys.executable, "-m", "uv"]
    error = run([*uv, "venv", "--quiet", "--python", python, str(folder)])
    into = ["--python", str(bin_of(folder) / "python"), "--only-binary", ":all:"]
    if not packages[-1].endswith(".whl"):
        into += ["--no-binary", "minunet"]
    return error or run([*uv, "pip", "install", "--quiet", "--resolution", WHICH[which], *into, *packages])


def run(command: list[str], folder: Path | None = None) -> str:
    """Run a command; return the last lines that it says if it fails, else nothing."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else " ".join((done.stdout + done.stderr).split())[-300:]


def versions(folder: Path) -> str:
    """Return the versions of some libraries in an environment."""
    code = f"import importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in {SHOWN}), sep=', ')"
    return subprocess.run([bin_of(folder) / "python", "-c", code], capture_output=True, text=True).stdout.strip()


def bin_of(folder: Path) -> Path:
    """Return the folder of an environment's programs."""
    return folder / ("Scripts" if os.name == "nt" else "bin")


if __name__ == "__main__":
    main()
