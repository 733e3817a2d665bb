"""What a submission sees in bubblewrap and in a container, and what a container is started with."""

import importlib.util
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from minunet.course.grading import sandbox
from minunet.course.grading.student_process import StudentProcess
from minunet.errors import InputError

pytestmark = [
    pytest.mark.slow,  # each process needs seconds to start
    pytest.mark.skipif(
        importlib.util.find_spec("ipykernel") is None,
        reason="grading needs Jupyter: python -m pip install -e '.[notebooks]'",
    ),
]
LOOKS = """
import os, socket
def can(what, *args):
    try:
        what(*args)
        return 1
    except OSError:
        return 0
def my_relu_backward(dy, cache):
    return [
        os.path.exists('PRIVATE'),
        can(socket.create_connection, ('1.1.1.1', 53), 1),
        can(os.kill, PARENT, 0),
        len([name for name in os.listdir('/proc') if name.isdigit()]) > 5,
        can(open, os.__file__, 'a'),
        can(open, os.path.expanduser('~/own'), 'w'),
    ]
"""
FILLS = """
def my_relu_backward(dy, cache):
    written = 0
    try:
        for number in range(20):
            with open(f'file{number}', 'wb', buffering=0) as file:
                for _ in range(10):
                    written += file.write(bytes(10_000_000))
    except OSError:
        pass
    return written
"""
SEEN = ["a private file", "the network", "the grader", "other processes", "Python's own files to write", "its own home"]


def answer_of(where, cell):
    """Return what my_relu_backward returns there."""
    with StudentProcess({1: cell}, 20, where) as process:
        return process.function("my_relu_backward")(0.0, None)


IMAGE = os.environ.get("MINUNET_IMAGE")


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(None, marks=pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap (bwrap) here")),
        pytest.param(IMAGE, marks=pytest.mark.skipif(not IMAGE, reason="name a container's image in MINUNET_IMAGE")),
    ],
    ids=["bubblewrap", "container"],
)
def test_a_sandbox_shows_python_and_an_empty_home_and_nothing_else(image, tmp_path):
    private = tmp_path / "submissions" / "anna.ipynb"
    private.parent.mkdir()
    private.write_text("{}")
    where = sandbox.choose(image, private.parent)
    if where.kind == "none":
        pytest.skip("bubblewrap is here, and may not make a sandbox")
    looks = LOOKS.replace("PRIVATE", str(private)).replace("PARENT", str(os.getpid()))
    assert dict(zip(SEEN, answer_of(where, looks), strict=True)) == {name: name == "its own home" for name in SEEN}
    assert sandbox.DISK * 0.9 < answer_of(where, FILLS) <= sandbox.DISK


def test_without_a_sandbox_a_submission_starts_in_an_empty_folder_that_is_removed():
    where = sandbox.Sandbox("none")
    cell = "import os\ndef my_relu_backward(dy, cache):\n    return [ord(c) for c in os.getcwd()]"
    folder = Path("".join(map(chr, answer_of(where, cell))))
    assert folder.name.startswith("minunet-") and not folder.exists()
    assert where.warning is not None and "\n" not in where.warning


def test_a_container_is_started_without_network_rights_or_files_and_removed(tmp_path, monkeypatch):
    """A stand-in for podman writes down its arguments and runs the worker here."""
    script = tmp_path / "podman"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nfor last; do :; done\n'
        f'[ "$1" = run ] || exit 0\nexport HOME={tmp_path} IPYTHONDIR={tmp_path} MPLCONFIGDIR={tmp_path}/mpl\n'
        f"export MPLBACKEND=agg PYTHONPATH={sandbox.PACKAGE.parent}\nexec {sys.executable} -m $last\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    where = sandbox.choose("course:latest", tmp_path)
    assert (where.kind, where.image, where.warning) == ("podman", "course:latest", None)
    assert answer_of(where, "def my_relu_backward(dy, cache):\n    return dy + 3") == 3
    *_, started, removed = (tmp_path / "calls").read_text().splitlines()
    assert started.endswith("course:latest python -m minunet.course.grading.worker")
    for option in ("--network none", "--read-only", "--cap-drop ALL", "--pids-limit", "--memory", "--user 65534:65534"):
        assert option in started
    assert [option for option in started.split() if ":ro" in option] == [f"{sandbox.PACKAGE}:/minunet/minunet:ro"]
    name = started.split("--name ")[1].split()[0]
    assert removed == f"rm --force {name}"


def test_a_container_that_does_not_start_says_why(tmp_path, monkeypatch):
    script = tmp_path / "podman"
    script.write_text('#!/bin/sh\necho "Trying to pull ..." >&2\necho "Error: no such image" >&2\nexit 125\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(InputError, match=r"podman does not run .* in course:latest; .* says: Error: no such image$"):
        sandbox.choose("course:latest", tmp_path)
