"""Grading: right answers get marks, whatever else a notebook does, and no notebook stops the others."""

import csv
import json
import sys

import pytest

from minunet.cli.main import main
from minunet.course.exercises import by_notebook
from minunet.course.grading.student_kernel import STRIKES

pytest.importorskip("jupyter_client", reason="grading needs Jupyter: python -m pip install -e '.[notebooks]'")
pytest.importorskip("ipykernel", reason="grading needs Jupyter: python -m pip install -e '.[notebooks]'")

NAMES = [exercise.name for exercise in by_notebook()["02_convolution"]]
IMPORTS = (
    "import numpy as np\nfrom minunet import course\nfrom minunet.layers.conv import conv2d_backward, conv2d_forward"
)
SOLUTIONS = [
    "def my_conv2d_forward(x, weight, bias):\n    return conv2d_forward(x, weight, bias)[0]",
    "def my_conv2d_dx(dy, cache):\n    return conv2d_backward(dy, cache)[0]",
    "def my_conv2d_dweight(dy, cache):\n    return conv2d_backward(dy, cache)[1]",
    "def my_conv2d_backward(dy, cache):\n    return conv2d_backward(dy, cache)",
]
STUBS = [solution.split("\n")[0] + "\n    ...  # about 5 lines" for solution in SOLUTIONS]
CHECKS = [f'course.check("{name}", my_{name})' for name in NAMES]
pytestmark = [
    pytest.mark.slow,  # it starts Jupyter's kernels
    pytest.mark.skipif(len(NAMES) != 4, reason="02 has other exercises by now"),
]


def write_notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": cell} for i, cell in enumerate(cells)]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": rows}))


def grades(folder, seconds=20):
    """Grade a folder by the command; return {file: (marks, remark)}."""
    out = folder.parent / "grades.csv"
    assert main(["grade", str(folder), "--out", str(out), "--seconds", str(seconds)]) == 0
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:2] == ["file", "notebook"] and list(rows[0])[-2:] == ["total", "remark"]
    for row in rows:
        assert int(row["total"]) == sum(int(row.get(name) or 0) for name in NAMES)
    return {row["file"]: ("".join(row.get(name, "") for name in NAMES), row["remark"]) for row in rows}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "submissions"


def test_right_half_right_and_unsolved_notebooks(folder, capsys):
    write_notebook(folder / "anna" / "02_convolution.ipynb", IMPORTS, *SOLUTIONS, *CHECKS)
    write_notebook(folder / "ben.ipynb", IMPORTS, *STUBS, *CHECKS)
    half = [*SOLUTIONS[:2], SOLUTIONS[2].replace("[1]", "[1][..., ::-1, ::-1]"), "def my_conv2d_backward(:"]
    write_notebook(folder / "cleo.ipynb", IMPORTS, "1 / 0", *half, *CHECKS[:3])
    write_notebook(folder / ".ipynb_checkpoints" / "ben-checkpoint.ipynb", IMPORTS)
    assert grades(folder) == {
        "anna/02_convolution.ipynb": ("1111", ""),
        "ben.ipynb": ("0000", ""),
        "cleo.ipynb": ("1100", "cell 2 stops with ZeroDivisionError; cell 6 stops with SyntaxError"),
    }
    assert "3 notebooks graded, 1 with a remark" in capsys.readouterr().out


def test_a_notebook_that_hangs_crashes_or_floods_stops_no_other(folder):
    shout = "for _ in range(40):\n    print('x' * 10**6)"
    hangs = "def my_conv2d_dx(dy, cache):\n    while True:\n        pass"
    dies = "def my_conv2d_dweight(dy, cache):\n    import os\n    os._exit(3)"
    write_notebook(folder / "a.ipynb", IMPORTS, shout, SOLUTIONS[0], hangs, dies, SOLUTIONS[3], CHECKS[0])
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass"
    hungry = "many = np.ones((100_000, 100_000))"
    ends = "import os\nos._exit(2)"
    write_notebook(folder / "b.ipynb", IMPORTS, *SOLUTIONS, deaf, hungry, "input()", ends, *CHECKS)
    write_notebook(folder / "c.ipynb", IMPORTS, *SOLUTIONS, *CHECKS)
    assert grades(folder, seconds=2) == {
        "a.ipynb": ("1001", "my_conv2d_dx takes longer than 2 s; my_conv2d_dweight ends the kernel"),
        "b.ipynb": (
            "1111",
            "cell 6 takes longer than 2 s and cannot be interrupted; cell 7 stops with MemoryError; "
            "cell 8 stops with StdinNotImplementedError; cell 9 ends the kernel",
        ),
        "c.ipynb": ("1111", ""),
    }


def test_a_notebook_with_many_such_cells_is_given_up(folder):
    write_notebook(folder / "a.ipynb", IMPORTS, *SOLUTIONS, *["while True:\n    pass"] * (STRIKES + 1), *CHECKS)
    ((marks, remark),) = grades(folder, seconds=0.5).values()
    assert marks == "0000"
    assert remark.startswith("cell 6 takes longer than 0.5 s; cell 7")
    assert remark.endswith(f"given up after {STRIKES} that take too long or end the kernel")


def test_a_notebook_that_cheats_gains_nothing(folder, tmp_path):
    cheats = """
class Right:
    ok = True
    name, lines = "conv2d_dx", []
import os
import minunet.course.checking as checking
from minunet.gradcheck import check as gradcheck
import minunet.course.grading.remote_call as answering
course.check = checking.check = lambda name, function: Right()
gradcheck.gradcheck = lambda *args, **kwargs: Right()
checking._equal = np.allclose = np.array_equal = lambda *args, **kwargs: True
checking.find = lambda name: None
class EqualToAll(np.ndarray):
    __eq__ = __ne__ = lambda self, other: True
class Bomb:
    def __reduce__(self):
        return os.mkdir, (PATH,)
""".replace("PATH", repr(str(tmp_path / "unpickled")))
    backward = "def my_conv2d_backward(dy, cache):\n    return [np.zeros(1).view(EqualToAll)] * 3"
    forged = """
def my_conv2d_dx(dy, cache):
    return EqualToAll((1, 1, 4, 4))
def my_conv2d_dweight(dy, cache):
    return np.array([[[[Bomb()]]]])
"""
    answering = "answering.answer = lambda function, question, reply: open(reply, 'w').write('right')"
    checks = ['course.check("conv2d_forward", lambda *args: None)', *CHECKS[1:], 'print("RIGHT: conv2d_dx")']
    write_notebook(folder / "a.ipynb", IMPORTS, *STUBS, cheats, forged, backward, *checks)
    write_notebook(folder / "b.ipynb", IMPORTS, *STUBS, cheats, answering, *checks)
    write_notebook(folder / "c.ipynb", IMPORTS, *STUBS, CHECKS[0].replace("my_conv2d_forward", "conv2d_forward"))
    marks = grades(folder)
    assert not (tmp_path / "unpickled").exists()
    assert marks == {"a.ipynb": ("0000", ""), "b.ipynb": ("0000", ""), "c.ipynb": ("0000", "")}


def test_a_backward_pass_that_writes_into_its_arguments_fails_as_in_the_notebook(folder):
    writes = "def my_conv2d_backward(dy, cache):\n    grads = conv2d_backward(dy, cache)\n    dy += 1\n    return grads"
    harmless = "def my_conv2d_dx(dy, cache):\n    dx = conv2d_backward(dy, cache)[0]\n    dy *= 2\n    return dx"
    write_notebook(folder / "a.ipynb", IMPORTS, SOLUTIONS[0], harmless, SOLUTIONS[2], writes, *CHECKS)
    assert grades(folder) == {"a.ipynb": ("1110", "")}


def test_files_that_are_no_notebooks_of_the_course(folder):
    folder.mkdir()
    (folder / "half.ipynb").write_text('{"cells": [')
    (folder / "list.ipynb").write_text("[1, 2]")
    (folder / "old.ipynb").write_text('{"worksheets": [], "nbformat": 3}')
    (folder / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    (folder / "deep.ipynb").write_text("[" * 100_000)
    write_notebook(folder / "other.ipynb", "print(1)")
    damaged = ("", "the file is damaged, or is not a notebook of format 4")
    unknown = ("", "it checks no exercise of the course, and its file name names no notebook of the course")
    names = ("half", "list", "old", "bytes", "deep")
    assert grades(folder) == {f"{name}.ipynb": damaged for name in names} | {"other.ipynb": unknown}


def test_a_notebook_without_its_checks_is_known_by_its_name(folder):
    write_notebook(folder / "smith_02_convolution (1).ipynb", IMPORTS, *SOLUTIONS)
    ((marks, remark),) = grades(folder).values()
    assert (marks, remark) == ("1111", "")


def refused(capsys, *arguments):
    assert main(["grade", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_bad_input_is_refused_in_one_line_and_nothing_is_written(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "grades.csv"
    assert f"found no folder {folder}" in refused(capsys, folder, "--out", out)
    folder.mkdir()
    assert "expected notebooks (*.ipynb)" in refused(capsys, folder, "--out", out)
    write_notebook(folder / "a.ipynb", *CHECKS)
    assert "--seconds must be above 0, got 0" in refused(capsys, folder, "--out", out, "--seconds", 0)
    assert "--out must be in a folder that exists" in refused(capsys, folder, "--out", tmp_path / "no" / "x.csv")
    monkeypatch.setitem(sys.modules, "jupyter_client", None)
    assert "python -m pip install -e '.[notebooks]'" in refused(capsys, folder, "--out", out)
    assert [path.name for path in tmp_path.iterdir()] == ["submissions"]
    out.write_text("my notes")
    assert "--out must be a new file" in refused(capsys, folder, "--out", out)
    assert out.read_text() == "my notes"
