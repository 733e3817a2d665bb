"""Training on the command line: a progress bar, a checkpoint now and then, and a signal that loses nothing."""

import contextlib
import time

from minunet.cli.stopping import Stop
from minunet.training.batch import ALONE
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import train_steps

SAVE_EVERY = 30  # seconds between checkpoints


def train_and_save(run, dataset, weights, save, stop: Stop, ranks=ALONE) -> None:
    """Train to the end, or until a signal comes, saving as it goes and at last."""
    saved = time.monotonic()
    steps = with_progress_bar(run, train_steps(run, dataset, weights, ranks=ranks))
    with stop.gently(), contextlib.closing(steps):
        for row in steps:
            if stop.signal is not None:
                break
            if "validation_error" in row or time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
        save()
