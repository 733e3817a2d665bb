"""The student's process: it runs cells and calls functions as the grader asks, over the pipes that it was started with.

It holds nothing that is worth forging: no solution is compared here, and no mark is given here. It is started by
`student_process.py`, as `python -m minunet.course.grading.worker`, in one of the sandboxes of `sandbox.py`.
"""

import contextlib
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from minunet.course.exercises import find
from minunet.course.grading import remote_call
from minunet.course.watched_call import watched_call, words_of


class TookTooLong(BaseException):
    """Raised in a student's code when its time is up; not an Exception, so `except Exception` lets it pass."""


def main() -> None:
    """Answer questions until the grader closes the pipe."""
    inbox, outbox = _private_pipes()
    own_process = os.getpid()
    first = remote_call.read_frame(inbox)
    shell = _new_shell()
    if first is None:  # the grader only tried whether this starts
        return
    setup = pickle.loads(first)
    _put_fonts(setup["fonts"])
    limit_resources(**setup["limits"])
    while (question := remote_call.read_frame(inbox)) is not None:
        number, kind, payload, seconds = pickle.loads(question)
        try:
            with _time_limit(seconds):
                header, arrays = _run_cell(shell, payload) if kind == "cell" else _call(shell, *payload)
        except TookTooLong:
            header, arrays = {"error": "TookTooLong"}, []
        if os.getpid() != own_process:  # the student's code forked, and this is the child
            os._exit(0)
        remote_call.write_frame(outbox, remote_call.pack({"number": number, **header}, arrays))


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes to the grader; what students print, and read with input(), goes nowhere."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return inbox, outbox


def _put_fonts(fonts: dict[str, bytes]) -> None:
    """Save matplotlib the search for fonts, which takes it ten seconds in an empty home."""
    folder = Path(os.environ["MPLCONFIGDIR"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in fonts.items():
        (folder / name).write_bytes(data)


def limit_resources(memory: int, file_size: int, processes: int) -> None:
    """Limit what this process and its children may use, where the operating system can do that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows some limits and refuses them
            resource.setrlimit(kind, (limit, limit))
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    try:  # old kernels count all processes of the user, so this may leave not even one thread
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, hard))
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    except (RuntimeError, ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))


def _new_shell() -> Any:
    """Return an IPython shell, which knows %magics and !commands, that shows nothing and asks nothing."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    quiet = {"HistoryManager": {"enabled": False}, "InteractiveShell": {"ast_node_interactivity": "none"}}
    shell = InteractiveShell.instance(config=Config(quiet))
    for name in ("showtraceback", "showsyntaxerror", "enable_gui"):
        setattr(shell, name, lambda *args, **kwargs: None)
    shell.user_ns |= {"quit": sys.exit, "exit": sys.exit}  # IPython's own would ask a terminal to close
    return shell


@contextlib.contextmanager
def _time_limit(seconds: float):
    """Raise TookTooLong in the code within when its time is up; where there are no timers, the grader ends it."""
    import signal

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def stop(*args):
        raise TookTooLong

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _run_cell(shell: Any, source: str) -> tuple[dict, list]:
    """Run a cell; say how it ended."""
    result = shell.run_cell(source, silent=True)
    if "matplotlib.pyplot" in sys.modules:
        with contextlib.suppress(Exception):
            sys.modules["matplotlib.pyplot"].close("all")
    error = result.error_before_exec or result.error_in_exec
    return {"error": type(error).__name__ if error else None}, []


def _call(shell: Any, name: str, args: tuple) -> tuple[dict, list]:
    """Call a student's function, and describe what it returns or how it fails."""
    if name not in shell.user_ns:
        return {"error": "NameError", "message": f"the notebook defines no {name}"}, []
    function = shell.user_ns[name]
    try:
        call = watched_call(find(name.removeprefix("my_")), function, args)
        seen = {"ready_made": sorted(call.ready_made), "trips": call.trips, "numbers_copied": call.numbers_copied}
        header, arrays = remote_call.pack_result(call.result, args)
        return {**header, **seen}, arrays
    except TookTooLong:
        raise
    except BaseException as error:
        return {"error": type(error).__name__, "message": words_of(error, function)}, []


if __name__ == "__main__":
    main()
