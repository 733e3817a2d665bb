"""Run a submission in a Jupyter kernel of its own, with a time limit for each cell; after a crash, start again."""

import contextlib
import os
import pickle
import queue
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minunet
from minunet.course.grading import remote_call
from minunet.errors import InputError

STRIKES = 5  # cells and calls that may crash or take too long, before a submission is given up
STARTING, STOPPING = 60, 3  # seconds
POLL = 0.1  # seconds between looks whether the kernel is alive
GIBIBYTES = 4
HIDDEN = "MINUNET_DATA"  # an environment variable that the kernel does not get: grading uses no real data
_REMOTE_CALL = f"__import__('importlib').import_module({remote_call.__name__!r})"  # the module, in the kernel


class StoppedError(Exception):
    """A cell or a call that took too long or ended the kernel."""


class StudentKernel:
    """The cells of one submission, run in order; an error does not stop the others, and what they print is ignored.

    A cell that takes too long is interrupted, and the next one runs. If a cell ends the kernel, all others run again in
    a new kernel. `remarks` says what happened, cell by cell.

    Raises
    ------
    InputError
        If Jupyter is missing or its kernel does not start.
    """

    def __init__(self, cells: list[str], seconds: float):
        self.cells, self.seconds = dict(enumerate(cells, start=1)), seconds
        self.remarks: dict[str, str] = {}
        self._strikes = 0
        self._manager: Any = None
        self._client: Any = None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._calls = 0

    def __enter__(self):
        with contextlib.ExitStack() as at_failure:
            at_failure.callback(self.__exit__)
            with contextlib.suppress(StoppedError):
                self._start_if_needed()
            at_failure.pop_all()
        return self

    def __exit__(self, *exception):
        self._kill()
        self._folder.cleanup()

    def function(self, name: str) -> Callable:
        """Return a function that calls the student's function of that name, in the student's kernel."""

        def ask(*args):
            self._start_if_needed()
            self._calls += 1
            question, reply = (Path(self._folder.name) / f"{kind}{self._calls}.npz" for kind in ("question", "reply"))
            question.write_bytes(pickle.dumps(args))
            try:
                error = self._run(f"{_REMOTE_CALL}.answer({name}, {str(question)!r}, {str(reply)!r})", self.seconds)
            except StoppedError as stopped:
                self._strike(name, stopped)
                raise
            if error:
                raise StoppedError(f"stops with {error}")
            return remote_call.read_reply(reply, args)

        return ask

    def _start_if_needed(self) -> None:
        """Run all cells, unless the kernel is alive and has run them; raise StoppedError after too many strikes."""
        while self._manager is None:
            if self._strikes >= STRIKES:
                raise StoppedError("belongs to a submission that is given up")
            self._start()
            for number, cell in list(self.cells.items()):
                try:
                    if error := self._run(cell, self.seconds):
                        self.remarks[f"cell {number}"] = f"stops with {error}"
                except StoppedError as stopped:
                    del self.cells[number]
                    self._strike(f"cell {number}", stopped)
                if self._manager is None:
                    break

    def _strike(self, who: str, stopped: StoppedError) -> None:
        self.remarks[who] = str(stopped)
        self._strikes += 1
        if self._strikes >= STRIKES:
            self.remarks["given up"] = f"after {STRIKES} that take too long or end the kernel"
            self._kill()

    def _start(self) -> None:
        try:
            import ipykernel  # noqa: F401
            from jupyter_client import KernelManager
        except ImportError as error:
            remedy = "python -m pip install -e '.[notebooks]'"
            raise InputError(f"grading needs Jupyter, found no {error.name}; install it with {remedy}") from error
        self._manager = KernelManager(kernel_name="python3")
        environment = {name: value for name, value in os.environ.items() if name != HIDDEN}
        environment |= {"MINUNET_QUICK": "1", "MPLBACKEND": "agg", "IPYTHONDIR": self._folder.name}
        paths = [str(Path(minunet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._manager.start_kernel(env=environment, cwd=self._folder.name, **silent)
        self._client = self._manager.blocking_client()
        self._client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
        try:
            self._run(f"{_REMOTE_CALL}.limit_memory({GIBIBYTES})", STARTING)
        except StoppedError as error:
            raise InputError(f"the kernel python3 does not start: it {error}; try jupyter kernelspec list") from error

    def _run(self, code: str, seconds: float) -> str | None:
        """Run code, and return the name of its error, if any; raise StoppedError if it is slow or ends the kernel."""
        message = self._client.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
        deadline, is_late = time.monotonic() + seconds, False
        while True:
            try:
                reply = self._client.get_shell_msg(timeout=POLL)
                if reply["parent_header"].get("msg_id") == message:
                    break
            except queue.Empty:
                if not self._manager.is_alive():
                    self._kill()
                    raise StoppedError("ends the kernel") from None
            if time.monotonic() > deadline:
                if is_late:  # the interrupt did nothing
                    self._kill()
                    raise StoppedError(f"takes longer than {seconds:g} s and cannot be interrupted")
                self._manager.interrupt_kernel()
                deadline, is_late = deadline + STOPPING, True
        if is_late:
            raise StoppedError(f"takes longer than {seconds:g} s")
        return reply["content"].get("ename")

    def _kill(self) -> None:
        if self._manager is not None:
            self._client.stop_channels()
            self._manager.shutdown_kernel(now=True)
            self._manager = self._client = None
