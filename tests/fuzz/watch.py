"""What becomes of one mutant: read right, refused in one line, or one of the things that must not happen."""

import contextlib
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import NamedTuple

from minunet.errors import InputError

SECONDS = 5  # of the processor's time, for one mutant
MEMORY = 2**30  # bytes, on top of what the process has before
LONGEST = 1500  # characters of an error
ON_PURPOSE = ": left out: "  # in a warning of a reader that did not take all that an image file holds
OUTCOMES = ("right", "refused", "wrong", "traceback", "hang", "memory", "warning")


class Outcome(NamedTuple):
    what: str  # one of OUTCOMES
    why: str  # the error's message, or where it came from


class MisreadError(Exception):
    """A mutant was read, but not as what it holds."""


class Hang(BaseException):
    """It took too long."""


def outcome_of(read_and_judge: Callable[[], None]) -> Outcome:
    """Run a function that reads a mutant, and raises `MisreadError` if it is read wrongly; say what came of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _alarm():
                read_and_judge()
            outcome = Outcome("right", "")
        except InputError as error:
            outcome = _refused(error)
        except MisreadError as error:
            outcome = Outcome("wrong", str(error))
        except Hang:
            outcome = Outcome("hang", _where())
        except MemoryError:
            outcome = Outcome("memory", _where())
        except (Exception, SystemExit):
            outcome = Outcome("traceback", _where())
    caught = [warning for warning in caught if ON_PURPOSE not in str(warning.message)]
    if caught and outcome.what in ("right", "refused"):
        return Outcome("warning", f"{caught[0].filename}:{caught[0].lineno}: {caught[0].message}")
    return outcome


def _refused(error: InputError) -> Outcome:
    """A refusal must be one clean line, and must not hide that memory was not enough."""
    text = " ".join(str(error).split())
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return Outcome("memory", text)
        cause = cause.__cause__
    if not text or len(text) > LONGEST or not text.isprintable():
        return Outcome("wrong", f"an error that is no clean line: {text[:200]!r}")
    return Outcome("refused", text)


@contextlib.contextmanager
def _alarm():
    def ring(number, frame):
        raise Hang

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory() -> None:
    """Let this process take no more than MEMORY on top of what it has; where the system can do that."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))


def _where() -> str:
    kind, error, trace = sys.exc_info()
    last = [frame for frame in traceback.extract_tb(trace) if frame.filename != __file__][-1]
    return f"{kind.__name__}: {str(error)[:100]} at {last.filename}:{last.lineno}"
