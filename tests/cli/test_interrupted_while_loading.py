"""Ctrl-C while Python loads the libraries of the command: one word, exit code 130, and no traceback."""

import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
COMMAND = ["-c", "import sys; from minunet_command import main; sys.exit(main())"]  # as the program `minunet` has it
MODULE = ["-m", "minunet"]


def interrupted(python, arguments, moment):
    """Send SIGINT when a module has just been loaded by an import statement; return the exit code and what was said."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *python, *arguments],  # a line on stderr for each module that is loaded
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # `&` switches it off
    )
    late = threading.Timer(60, process.kill)
    late.start()
    said, is_sent = [], False
    for line in process.stderr:
        if not line.startswith("import time:"):
            said.append(line)
        elif not is_sent and line.rpartition("|")[2].strip() == moment:
            process.send_signal(signal.SIGINT)
            is_sent = True
    late.cancel()
    process.stdout.close()
    process.stderr.close()
    assert is_sent, f"{moment} was not loaded"
    return process.wait(), "".join(said)


SLOW = [pytest.param(moment, marks=pytest.mark.slow) for moment in ("minunet.errors", "scipy", "minunet.cli.main")]


@pytest.mark.parametrize("moment", ["numpy", *SLOW])
@pytest.mark.parametrize("python", [COMMAND, MODULE], ids=["minunet", "python -m minunet"])
def test_the_help(python, moment):
    assert interrupted(python, ["--help"], moment) == (130, "interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "moment"),
    [
        ("train", "minunet.training.recipes"),
        ("predict", "minunet.scale.many_images"),
        ("evaluate", "minunet.training.measured"),
    ],
)
def test_what_a_command_alone_needs(command, moment):
    assert interrupted(COMMAND, [command], moment) == (130, "interrupted\n")


@pytest.mark.slow
def test_a_library_that_is_loaded_while_the_command_runs():
    assert interrupted(COMMAND, ["train"], "scipy.ndimage._ni_support") == (130, "interrupted\n")
