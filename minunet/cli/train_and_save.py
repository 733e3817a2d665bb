"""Training on the command line: a progress bar, a checkpoint now and then, and a signal that loses nothing."""

import contextlib
import time

from minunet.cli.messages import print_line
from minunet.cli.stopping import Stop
from minunet.progress import ProgressBar
from minunet.training.batch import ALONE
from minunet.training.gradient import on_threads
from minunet.training.processes import Processes
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import train_steps
from minunet.training.validation import part_to_measure

SAVE_EVERY = 30  # seconds between checkpoints


def train_and_save(run, dataset, weights, save, stop: Stop, ranks=ALONE) -> None:
    """Train to the end, or until a signal comes, saving as it goes and at last."""
    saved = time.monotonic()
    is_told = False
    with stop.gently(), contextlib.ExitStack() as until_the_end:
        share = until_the_end.enter_context(Processes()) if ranks.size == 1 else on_threads
        steps = with_progress_bar(run, train_steps(run, dataset, weights, ranks=ranks, share=share))
        until_the_end.enter_context(contextlib.closing(steps))
        for row in steps:
            if stop.signal is not None:
                break
            if "validation_error" in row and not is_told:
                is_told = True
                _say_what_is_validated(run, dataset)
            if "validation_error" in row or time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
        save()


def _say_what_is_validated(run, dataset) -> None:
    """Say it, if it is a part of the held-out images: else the error of the run is not that of its end."""
    part = part_to_measure(run.config, run.history, dataset.validation)
    if part.side is not None:
        with ProgressBar.external_write_mode():
            print_line(f"validation on {part.in_words(len(dataset.validation))}, as all would take too long")
