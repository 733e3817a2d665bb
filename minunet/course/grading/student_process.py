"""Run a submission in a process of its own, with a time limit for each cell; after a crash, start again."""

import contextlib
import functools
import pickle
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minunet.course.exercises import find
from minunet.course.grading import remote_call, sandbox
from minunet.course.grading.sandbox import Sandbox, Started
from minunet.course.watched_call import Call, NotAFunctionError, views
from minunet.errors import InputError

STRIKES = 5  # cells and calls that may crash or take too long, before a submission is given up
TOTAL = 20  # times the limit of one cell: what all of a submission may take
STARTING, STOPPING = 120, 3  # seconds


class StoppedError(Exception):
    """A cell or a call that took too long or ended its process."""


class RemoteFunction:
    """A student's function over there, as `check` calls it: it has no code of its own to quote a line of."""

    def __init__(self, watched_call: Callable[[tuple], Call]):
        self.watched_call = watched_call

    def __call__(self, *args):
        return self.watched_call(args).result


class StudentProcess:
    """The cells of one submission, run in order; an error does not stop the others, and what they print is ignored.

    A cell that takes too long is interrupted, and the next one runs. If a cell ends the process, all others run again
    in a new one. `remarks` says what happened, cell by cell.

    Raises
    ------
    InputError
        If no process starts.
    """

    def __init__(self, cells: dict[int, str], seconds: float, where: Sandbox):
        self.cells, self.seconds, self.where = dict(cells), seconds, where
        self.remarks: dict[str, str] = {}
        self._strikes = 0
        self._left = TOTAL * seconds
        self._started: Started | None = None
        self._replies: queue.Queue = queue.Queue()
        self._number = 0

    def __enter__(self):
        with contextlib.suppress(StoppedError):
            self._start_if_needed()
        return self

    def __exit__(self, *exception):
        self._end()

    def function(self, name: str) -> Callable:
        """Return a callable that calls the student's function of that name, over there."""

        def ask(args: tuple) -> Call:
            self._start_if_needed()
            try:
                header, arrays = self._ask("call", (name, args))
            except StoppedError as stopped:
                self._strike(name, stopped)
                raise
            if header["error"] is not None:
                raise _like(header)
            try:
                result = remote_call.unpack_result(header, arrays, args)
            except remote_call.BrokenReplyError as error:
                raise StoppedError(f"it {error}") from None
            trips, ready_made = (_texts(header.get(key)) for key in ("trips", "ready_made"))
            seen_views = views(find(name.removeprefix("my_")), result, args)
            return Call(result, seen_views, set(ready_made), trips, int(header.get("numbers_copied", 0)))

        return RemoteFunction(ask)

    def _start_if_needed(self) -> None:
        """Run all cells, unless they have run in a living process; raise StoppedError after too many strikes."""
        while self._started is None:
            if self._strikes >= STRIKES:
                raise StoppedError("the submission was given up")
            self._start()
            for number, cell in list(self.cells.items()):
                try:
                    error = self._ask("cell", cell)[0]["error"]
                    if error == "SystemExit":
                        self.remarks[f"cell {number}"] = "calls quit() or exit()"
                    elif error:
                        self.remarks[f"cell {number}"] = f"stops with {_word(error)}"
                except StoppedError as stopped:
                    del self.cells[number]
                    self._strike(f"cell {number}", stopped)
                if self._started is None:
                    break

    def _strike(self, who: str, stopped: StoppedError) -> None:
        self.remarks[who] = str(stopped)
        self._strikes += 1
        if self._left <= 0:
            self._strikes = STRIKES
            self.remarks["given up"] = f"after {TOTAL * self.seconds:g} s in all"
        elif self._strikes >= STRIKES:
            self.remarks["given up"] = f"after {STRIKES} that take too long or end the process"
        if self._strikes >= STRIKES:
            self._end()

    def _start(self) -> None:
        self._started, self._replies = self.where.start(), queue.Queue(maxsize=4)
        threading.Thread(target=_listen, args=(self._started.process.stdout, self._replies), daemon=True).start()
        limits = {"memory": sandbox.MEMORY, "file_size": sandbox.DISK // 2, "processes": sandbox.PROCESSES}
        self._send(pickle.dumps({"fonts": _fonts(), "limits": limits}))
        left, self._left = self._left, float("inf")
        try:
            self._ask("cell", "", STARTING)
        except StoppedError as error:
            raise InputError(f"a student's process does not start: it {error}; is Jupyter installed?") from error
        self._left = left

    def _ask(self, kind: str, payload: Any, seconds: float | None = None) -> tuple[dict, list]:
        """Return the reply to a question; raise StoppedError if it is slow or ends the process."""
        seconds = min(seconds or self.seconds, max(self._left, 0.01))
        self._number += 1
        began = time.monotonic()
        self._send(pickle.dumps((self._number, kind, payload, seconds)))
        try:
            header, arrays = self._reply(began + seconds + STOPPING, seconds)
        finally:
            self._left -= time.monotonic() - began
        if header["error"] == "TookTooLong":
            raise StoppedError(f"takes longer than {seconds:g} s")
        return header, arrays

    def _reply(self, deadline: float, seconds: float) -> tuple[dict, list]:
        while True:
            try:
                data = self._replies.get(timeout=max(0.0, deadline - time.monotonic()))
                if data is None:
                    raise StoppedError("ends its process")
                if isinstance(data, Exception):
                    raise data
                header, arrays = remote_call.unpack(data)
                header["error"] = header.get("error")
                if header.get("number") == self._number:
                    return header, arrays
            except queue.Empty:
                self._end()
                raise StoppedError(f"takes longer than {seconds:g} s and cannot be interrupted") from None
            except (StoppedError, remote_call.BrokenReplyError) as error:
                self._end()
                raise StoppedError(str(error)) from None

    def _send(self, data: bytes) -> None:
        """Write in a thread of its own, since a process that was stopped never reads."""
        assert self._started is not None
        threading.Thread(target=_write, args=(self._started.process.stdin, data), daemon=True).start()

    def _end(self) -> None:
        if self._started is not None:
            sandbox.end(self._started)
            self._started = None


def _write(stream: Any, data: bytes) -> None:
    try:
        remote_call.write_frame(stream, data)
    except (OSError, ValueError):  # the process has ended, which the reader notices
        pass


def _listen(stream: Any, replies: queue.Queue) -> None:
    """Put each reply into the queue, and None at the end."""
    try:
        while (data := remote_call.read_frame(stream, remote_call.LARGEST)) is not None:
            replies.put(data)
        replies.put(None)
    except (OSError, ValueError):
        replies.put(None)
    except remote_call.BrokenReplyError as error:
        replies.put(error)


def _like(header: dict) -> Exception:
    """Return an error with the name and message that the student's function stopped with."""
    name, message = _word(header["error"]), str(header.get("message", ""))[: remote_call.LONGEST_TEXT]
    known = {kind.__name__: kind for kind in (NotImplementedError, NotAFunctionError)}
    return known.get(name, type(name, (Exception,), {}))(message)


def _texts(values: Any) -> list[str]:
    """Return short texts, of which a student may have made anything."""
    return [str(value)[: remote_call.LONGEST_TEXT] for value in values[:10]] if isinstance(values, list) else []


def _word(name: Any) -> str:
    """Return the name of an error, of which a student may have made anything."""
    return "".join(c for c in str(name)[:60] if c.isalnum() or c == "_") or "an error"


@functools.cache
def _fonts() -> dict[str, bytes]:
    import matplotlib
    import matplotlib.font_manager  # it writes the file

    return {path.name: path.read_bytes() for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json")}
