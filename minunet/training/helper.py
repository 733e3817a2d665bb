"""A process beside this one that does what it is told, and what the two say to each other.

    start(serve)     this process      starts the helper, and goes on while the helper loads minunet
    is_ready         this process      whether the helper can be told something
    welcome          the helper        says that it is ready
    tell, hear       both              any Python object, by pickle

Messages go through the helper's standard input and output. All that goes wrong with a helper is a LostError: what it
was to do must be done by this process.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from minunet.fast.cpu.limits import THREADS

HERE = str(Path(__file__).parents[2])  # the folder that minunet is in
PIPE = 2**20  # bytes that a pipe may hold: with the usual 64 KiB the two would take turns dozens of times
READY = b"minunet's helper is ready\n"
LAST = 2000  # bytes of what a lost helper has written as its errors that are looked at


class LostError(Exception):
    """The other process has ended, or what comes from it is no message."""


class Other(NamedTuple):
    """The other process, as this one sees it."""

    heard: IO[bytes]
    told: IO[bytes]


class Helper(NamedTuple):
    """A helper, as the process sees it that has started it."""

    heard: IO[bytes]
    told: IO[bytes]
    process: subprocess.Popen
    errors: IO[bytes]
    waiting: threading.Thread  # until the helper is ready, or has ended


def start(serve: Callable[[], None], threads: int) -> Helper:
    """Start a process that calls `serve`, a function of a module of minunet, with this process's modules.

    Raises
    ------
    LostError
        If no process can start.
    """
    modules = [folder for folder in sys.path if isinstance(folder, str)]
    code = f"import sys; sys.path[:] = {[*modules, HERE]!r}; "
    code += f"from {serve.__module__} import {serve.__name__} as serve; serve()"
    errors = tempfile.TemporaryFile()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for this process, which still needs the step
            env={**os.environ, **dict.fromkeys(THREADS, str(threads))},
        )
    except OSError as error:
        errors.close()
        raise LostError(str(error)) from error
    assert process.stdin and process.stdout  # as asked for
    for pipe in (process.stdin, process.stdout):
        _widen(pipe)
    waiting = threading.Thread(target=_wait_until_ready, args=(process.stdout,), daemon=True)
    waiting.start()
    return Helper(process.stdout, process.stdin, process, errors, waiting)


def _widen(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the user has many pipes already
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def _wait_until_ready(heard: IO[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):  # the pipe has been closed meanwhile
        for line in heard:  # what other modules print while they are loaded comes before
            if line.endswith(READY):
                return


def is_ready(helper: Helper) -> bool:
    """Return whether the helper can be told something; raise LostError if it has ended."""
    if helper.waiting.is_alive():
        return False
    if helper.process.poll() is not None:
        raise LostError(last_words(helper))
    return True


def end(helper: Helper) -> None:
    """End a helper, whatever it does: it has nothing to lose."""
    helper.process.kill()
    helper.process.wait()
    helper.waiting.join()
    for file in (helper.heard, helper.told, helper.errors):
        with contextlib.suppress(OSError):  # what it was being told
            file.close()


def last_words(helper: Helper) -> str:
    """Return the last line that a helper has written as its errors."""
    helper.errors.seek(0)
    lines = helper.errors.read()[-LAST:].decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it was killed")


def welcome() -> Other:
    """Say that this process is ready; return the one that has started it. What is printed here goes to the errors."""
    heard, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    told.write(READY)
    told.flush()
    return Other(heard, told)


def tell(other: Helper | Other, thing: Any) -> None:
    """Send an object to the other process; raise LostError if it has ended."""
    try:
        pickle.dump(thing, other.told, protocol=5)
        other.told.flush()
    except OSError as error:
        raise LostError(_why(other, error)) from error


def hear(other: Helper | Other) -> Any:
    """Return the next object from the other process; raise LostError if it has ended."""
    try:
        return pickle.load(other.heard)
    except Exception as error:  # what pickle raises depends on what it reads
        raise LostError(_why(other, error)) from error


def _why(other: Helper | Other, error: Exception) -> str:
    return last_words(other) if isinstance(other, Helper) else str(error)
