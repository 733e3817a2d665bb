"""Ctrl-C, `kill` and a closed terminal: a run that is asked to stop ends with its step, and loses nothing."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, `kill`, a terminal that is closed; Windows has no SIGHUP
NOTICE = b"\nstopping after this step; press Ctrl-C again to stop at once\n"


class Stop:
    """Whether the user has asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None  # the first one that came
        self.is_gentle = False

    @contextlib.contextmanager
    def gently(self) -> Iterator[None]:
        """Within the block a signal is only noted; a second Ctrl-C stops at once."""
        self.is_gentle = True
        try:
            yield
        finally:
            self.is_gentle = False

    def note(self, number: int, frame) -> None:
        """Take a signal: note it or, outside `gently`, raise KeyboardInterrupt."""
        is_first = self.signal is None
        self.signal = self.signal or number
        if not self.is_gentle or (number == signal.SIGINT and not is_first):
            raise KeyboardInterrupt(self.signal)
        if is_first:
            with contextlib.suppress(OSError):
                os.write(2, NOTICE)  # not print, which the signal may have interrupted

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as the shell has it: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)


@contextlib.contextmanager
def noticing_signals(is_rank_0: bool = True) -> Iterator[Stop]:
    """Yield a Stop that takes the signals until the block ends. What `nohup` has switched off stays off.

    mpirun and Slurm send a signal to all ranks. Rank 0 alone takes it: it saves the run, and then ends the others.
    """
    stop, before = Stop(), {}
    handler: Any = stop.note if is_rank_0 else signal.SIG_IGN
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and (name == "SIGINT" or signal.getsignal(number) != signal.SIG_IGN):
            before[number] = signal.signal(number, handler)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
