"""Change the code in small ways, one at a time, and see whether the tests notice: a mutation test.

python -m pip install coverage                    and minunet with its extra "test"
python benchmarks/mutants.py                      60 mutants of each folder, a sample that a seed fixes
python benchmarks/mutants.py --folders metrics    of some folders only
python benchmarks/mutants.py --minutes 7          stop after that long; the next call goes on where this one stopped
python benchmarks/mutants.py --report             print what is known so far, with the survivors as diffs

A mutant is killed if a test fails, if the package cannot be imported any more, or if the tests take ten times as long.
Each runs only the quick tests that reach a line of it, the quickest first, and stops at the first that fails. Which
test reaches which line is measured once, with coverage. `mutations.py` has the changes that are tried. Works on a copy
of the tree, in a scratch folder; needs os.fork, so Linux or macOS.
"""

import argparse
import difflib
import functools
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import matplotlib.pyplot  # noqa: F401  what tests import is imported here once, before each mutant's copy of this process
import numpy as np  # noqa: F401
import pytest
import scipy.ndimage  # noqa: F401
import torch  # noqa: F401
from mutations import Mutation, apply, mutations

ROOT = Path(__file__).parents[1]
FOLDERS = ["layers", "network", "gradcheck", "metrics", "prediction"]
SCRATCH = Path(tempfile.gettempdir()) / "minunet_mutants"
KNOWN = SCRATCH / "verdicts.json"
TESTS = [*(f"tests/{folder}" for folder in FOLDERS), "tests/test_devices.py"]
COPIED = ["minunet", "tests", "notebooks", "benchmarks", "minunet_command.py", "minunet_pytest.py"]
COPIED += ["setup.cfg", "pyproject.toml"]
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "*.ipynb")
OUTPUT = SCRATCH / "output.txt"
PYTEST = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", f"--basetemp={SCRATCH / 'pytest'}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--each", type=int, default=60, help="mutants of each folder; default 60")
    parser.add_argument("--folders", nargs="+", choices=FOLDERS, default=FOLDERS, help="default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample; default 0")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after that long; default: at the end")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--again", nargs="+", metavar="TEST", help="run these tests, new ones, on the survivors")
    options = parser.parse_args()
    sample = [mutation for folder in options.folders for mutation in drawn(folder, options.each, options.seed)]
    results = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}
    if options.again:
        run_on_survivors(options.again, sample, results)
    elif not options.report:
        run_all(sample, results, time.monotonic() + 60 * options.minutes)
    report(sample, results)


def drawn(folder: str, count: int, seed: int) -> list[Mutation]:
    """Return a random sample of the mutations of a folder, always the same for one seed."""
    every = [m for path in sorted((ROOT / "minunet" / folder).rglob("*.py")) for m in mutations(path, ROOT)]
    return random.Random(seed).sample(every, min(count, len(every)))


def run_all(sample: list[Mutation], results: dict[str, dict], until: float) -> None:
    """Run the tests on each mutant that has no verdict yet; write the verdicts as they come."""
    tests = tests_by_line()
    for mutation in sample:
        if mutation.key in results:
            continue
        if time.monotonic() > until:
            return
        began = time.monotonic()
        verdict, by = verdict_on(mutation, tests)
        note(mutation, verdict, by, time.monotonic() - began, results)


def run_on_survivors(tests: list[str], sample: list[Mutation], results: dict[str, dict]) -> None:
    """Run some tests, added since, on each mutant that has survived; write the verdicts as they come."""
    copy_tree()
    for mutation in sample:
        if results.get(mutation.key, {}).get("verdict") == "survived":
            began = time.monotonic()
            verdict, by = with_mutation(mutation, tests, most=100)
            note(mutation, verdict, by, time.monotonic() - began, results)


def note(mutation: Mutation, verdict: str, by: str, seconds: float, results: dict[str, dict]) -> None:
    """Add a verdict to the results, write them, and print it."""
    results[mutation.key] = {"verdict": verdict, "by": by, "seconds": round(seconds, 1)}
    KNOWN.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{verdict:<9} {seconds:>6.1f} s  {mutation.key}  {by}", flush=True)


def copy_tree() -> Path:
    """Copy what is tested to the scratch folder, and return the copy."""
    tree = SCRATCH / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        copy = functools.partial(shutil.copytree, ignore=NOT_COPIED) if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tree / name)
    return tree


def tests_by_line() -> dict:
    """Return {"lines": {file: {line: [test]}}, "seconds": {test: seconds}}, measured once for a state of the code.

    A test is FILE::FUNCTION. Lines that run while a module is imported have no test of their own.
    """
    tree, stored = copy_tree(), SCRATCH / "tests_by_line.json"
    newest = max(path.stat().st_mtime for name in ("minunet", "tests") for path in (tree / name).rglob("*.py"))
    if not stored.exists() or stored.stat().st_mtime < newest:
        stored.write_text(json.dumps(_measured(tree)), encoding="utf-8")
    return json.loads(stored.read_text(encoding="utf-8"))


def _measured(tree: Path) -> dict:
    settings, report, junit = SCRATCH / "coveragerc", SCRATCH / "coverage.json", SCRATCH / "junit.xml"
    settings.write_text(
        f"[run]\nsource = minunet\ndynamic_context = test_function\ndata_file = {SCRATCH / 'coverage'}\n"
        f"[json]\noutput = {report}\nshow_contexts = True\n"
    )
    coverage = [sys.executable, "-m", "coverage"]
    tests = ["-m", "pytest", *PYTEST, f"--junitxml={junit}", *TESTS]
    if subprocess.run([*coverage, "run", f"--rcfile={settings}", *tests], cwd=tree, env=_environment(tree)).returncode:
        raise SystemExit("the tests must pass before the code is changed")
    subprocess.run([*coverage, "json", "-q", f"--rcfile={settings}"], cwd=tree, check=True)
    paths = {path.stem: path.relative_to(tree).as_posix() for path in (tree / "tests").rglob("test_*.py")}

    def name_of(dotted: str) -> str:
        *_, module, function = dotted.partition("[")[0].split(".")
        return f"{paths[module]}::{function}"

    lines = {
        file: {line: [name_of(test) for test in tests if test] for line, tests in found["contexts"].items()}
        for file, found in json.loads(report.read_text(encoding="utf-8"))["files"].items()
    }
    seconds: Counter[str] = Counter()
    for case in ElementTree.parse(junit).iter("testcase"):
        seconds[name_of(f"{case.attrib['classname']}.{case.attrib['name']}")] += float(case.attrib["time"])
    return {"lines": lines, "seconds": seconds}


def _environment(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def verdict_on(mutation: Mutation, known: dict) -> tuple[str, str]:
    """Return killed or survived, and by what: the test that failed, "time", "import"; or how many tests passed."""
    lines = known["lines"].get(mutation.file, {})
    reached = {test for n in range(mutation.line, mutation.last_line + 1) for test in lines.get(str(n), [])}
    if mutation.is_outside_functions:  # it runs when the file is imported
        reached = {test for tests in lines.values() for test in tests}
    if not reached:
        return "survived", "no test reaches it"
    chosen = sorted(reached, key=lambda test: known["seconds"].get(test, 0))
    return with_mutation(mutation, chosen, most=20 + 10 * sum(known["seconds"].get(test, 0) for test in chosen))


def with_mutation(mutation: Mutation, tests: list[str], most: float) -> tuple[str, str]:
    """Run tests on the mutated copy, for `most` seconds at most; return killed or survived, and by what."""
    path = SCRATCH / "tree" / mutation.file
    original = path.read_bytes()
    try:
        path.write_bytes(apply(mutation, original))
        return _run(tests, most)
    finally:
        shutil.copy2(ROOT / mutation.file, path)  # with its time, so that its compiled form is valid again


def _run(tests: list[str], most: float) -> tuple[str, str]:
    """Run the tests in a copy of this process, which has imported all but minunet."""
    process = multiprocessing.get_context("fork").Process(target=_pytest, args=(tests,))
    process.start()
    process.join(most)
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return "killed", "time"
    if process.exitcode == 0:
        return "survived", f"{len(tests)} tests pass"
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", OUTPUT.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return "killed", failed[0].partition("[")[0] if failed else "import"


def _pytest(tests: list[str]) -> None:
    os.setsid()  # what the tests start ends with them, if they take too long
    tree = SCRATCH / "tree"
    os.chdir(tree)
    os.environ.update(_environment(tree))
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with OUTPUT.open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        sys.exit(int(pytest.main([*PYTEST, *tests])))


def report(sample: list[Mutation], results: dict[str, dict]) -> None:
    """Print how many mutants of each folder died, and the survivors as diffs."""
    survivors = [m for m in sample if results.get(m.key, {}).get("verdict") == "survived"]
    for mutation in survivors:
        print(f"\n{mutation.key}   ({results[mutation.key]['by']})")
        print("".join(_diff(mutation)), end="")
    print(f"\n{'folder':<12} {'mutants':>8} {'killed':>8} {'survived':>9} {'share':>7}")
    for folder in [*FOLDERS, ""]:
        tried = [m for m in sample if m.key in results and m.file.startswith(f"minunet/{folder}")]
        alive = [m for m in tried if m in survivors]
        share = (len(tried) - len(alive)) / max(1, len(tried))
        print(f"{folder or 'all':<12} {len(tried):>8} {len(tried) - len(alive):>8} {len(alive):>9} {share:>7.1%}")
    print(f"{len(sample) - sum(m.key in results for m in sample)} of the {len(sample)} mutants have not been tried yet")


def _diff(mutation: Mutation) -> list[str]:
    source = (ROOT / mutation.file).read_bytes()
    sides = [text.decode().splitlines(keepends=True) for text in (source, apply(mutation, source))]
    return [line for line in difflib.unified_diff(*sides, n=0) if not line.startswith(("---", "+++"))]


if __name__ == "__main__":
    main()
