"""A time limit for a check, and the difference between a Ctrl-C of the user and an interrupt from elsewhere."""

import _thread
import contextlib
import signal
import threading
from collections.abc import Iterator


class Interrupts:
    """Who interrupted the block: the clock, the user, both or nobody."""

    by_clock = False
    by_user = False


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[Interrupts]:
    """Raise KeyboardInterrupt in the block after so many seconds; yield who it came from.

    It needs Python's main thread, in which notebooks run, and a second thread, which a browser does not have. Where one
    of the two is missing there is no limit.
    """
    seen, done = Interrupts(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def interrupt(number, frame):
        seen.by_user = not seen.by_clock
        raise KeyboardInterrupt

    def ring():
        wait = seconds
        while not done.wait(wait):
            seen.by_clock, wait = True, 1  # again after a second, should the first interrupt have been swallowed
            _thread.interrupt_main()

    clock = threading.Thread(target=ring, daemon=True)
    before = signal.signal(signal.SIGINT, interrupt) or signal.default_int_handler
    try:
        if seconds is not None:
            with contextlib.suppress(RuntimeError):  # no second thread can be started
                clock.start()
        yield seen
    finally:
        try:
            done.set()
            if clock.is_alive():
                clock.join()
        finally:
            signal.signal(signal.SIGINT, before)
