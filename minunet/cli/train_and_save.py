"""Training on the command line: a progress bar, a checkpoint now and then, and Ctrl-C that loses nothing."""

import contextlib
import signal
import sys
import time

from minunet.errors import InputError
from minunet.training.batch import ALONE
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import train_steps

SAVE_EVERY = 30  # seconds between checkpoints


def train_and_save(run, dataset, weights, save, ranks=ALONE) -> bool:
    """Train to the end, saving as it goes; return True if Ctrl-C stopped it early."""
    saved = time.monotonic()
    steps = with_progress_bar(run, train_steps(run, dataset, weights, ranks=ranks))
    with _ctrl_c() as interrupted, contextlib.closing(steps):
        try:
            for row in steps:
                if interrupted():
                    break
                if "validation_error" in row or time.monotonic() - saved > SAVE_EVERY:
                    save()
                    saved = time.monotonic()
        except InputError as error:
            raise InputError(f"{error}; the run up to the last checkpoint is kept") from error
    save()
    return interrupted()


@contextlib.contextmanager
def _ctrl_c():
    """Yield a function that tells whether Ctrl-C was pressed.

    The first Ctrl-C lets the current step finish; the second one stops at once.
    """
    pressed: list[int] = []

    def note(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        print("\nstopping after this step; press Ctrl-C again to stop at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
