"""Training as a person sees it: a bar with the time left, a checkpoint now and then, and Ctrl-C that loses nothing."""

import contextlib
import signal
import sys
import time

import numpy as np
from tqdm import tqdm

from minunet.errors import InputError
from minunet.training.batch import ALONE
from minunet.training.train import train_steps

SAVE_EVERY = 30  # seconds between checkpoints


def train_with_bar(run, dataset, weights, save, ranks=ALONE) -> bool:
    """Train to the end, saving as it goes; return True if Ctrl-C stopped it early."""
    config, saved = run.config, time.monotonic()
    by_steps = config.steps is not None
    total, unit = (config.steps, "step") if by_steps else (round(60 * config.minutes), "s")
    done = len(run.history) if by_steps else int(run.history[-1]["seconds"]) if run.history else 0
    last_error = next((r["validation_error"] for r in reversed(run.history) if "validation_error" in r), None)
    losses = [row["loss"] for row in run.history[-20:]]
    with _ctrl_c() as interrupted, tqdm(total=total, initial=min(done, total), unit=unit, disable=None) as bar:
        try:
            for row in train_steps(run, dataset, weights, ranks=ranks):
                losses = [*losses[-19:], row["loss"]]
                last_error = row.get("validation_error", last_error)
                shown = {"loss": f"{np.mean(losses):.3f}"}
                if last_error is not None:
                    shown["validation error"] = f"{last_error:.4f}"
                bar.set_postfix(shown, refresh=False)
                bar.update(min(total, row["step"] if by_steps else int(row["seconds"])) - bar.n)
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
    """Yield a function that tells whether Ctrl-C was pressed; the step at hand is finished first. Twice: at once."""
    pressed = []

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
