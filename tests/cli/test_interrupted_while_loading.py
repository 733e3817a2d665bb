"""Ctrl-C while Python loads the libraries of the command: one word, exit code 130, and no traceback."""

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
COMMAND = ["-c", "import sys; from minunet_command import main; sys.exit(main())"]  # as the program `minunet` has it
MODULE = ["-m", "minunet"]


def interrupted(python, arguments, moment):
    """Send SIGINT when a module has just been loaded; return the exit code, and what was said on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *python, *arguments],  # a line on stderr for each module that is loaded
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # `&` switches it off
    )
    said, is_sent = [], False
    for line in process.stderr:
        if not line.startswith("import time:"):
            said.append(line)
        elif not is_sent and line.rpartition("|")[2].strip() == moment:
            process.send_signal(signal.SIGINT)
            is_sent = True
    process.stdout.close()
    process.stderr.close()
    assert is_sent, f"{moment} was not loaded"
    return process.wait(), "".join(said)


@pytest.mark.parametrize("moment", ["numpy", pytest.param("minunet.cli.main", marks=pytest.mark.slow)])
@pytest.mark.parametrize("python", [COMMAND, MODULE], ids=["minunet", "python -m minunet"])
def test_the_help(python, moment):
    assert interrupted(python, ["--help"], moment) == (130, "interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["train", "predict", "evaluate", "gradcheck", "summary", "bench", "grade", "doctor"]
)
@pytest.mark.parametrize("python", [COMMAND, MODULE], ids=["minunet", "python -m minunet"])
@pytest.mark.parametrize("moment", ["minunet.errors", "scipy.ndimage", "the command"])
def test_each_command(python, command, moment):
    moment = f"minunet.cli.{command}" if moment == "the command" else moment
    moment = "minunet.cli.bench.command" if moment == "minunet.cli.bench" else moment
    assert interrupted(python, [command], moment) == (130, "interrupted\n")
