"""A progress bar over the steps of a run, with the time left."""

from collections.abc import Generator, Iterable
from typing import Any

import numpy as np

from minunet.progress import ProgressBar
from minunet.training.config import length_of_run
from minunet.training.train import Run

SHOWN_LOSSES = 20  # the bar shows the mean loss of so many steps


def with_progress_bar(run: Run, rows: Iterable[dict], progress: bool = True) -> Generator[dict, None, None]:
    """Yield the rows of `train_steps`, and show how far the run is, its loss and its last validation error.

    With `progress` the bar is shown on a terminal; in a file or a pipe there is a line now and then.
    """
    history = run.history
    length, by_steps = length_of_run(run.config)
    total = round(length)

    def done() -> int:
        if not history:
            return 0
        return min(total, history[-1]["step"] if by_steps else int(history[-1]["seconds"]))

    unit = "step" if by_steps else "s"
    validation_errors = [row["validation_error"] for row in history if "validation_error" in row]
    options: dict[str, Any] = {"desc": "training", "unit": unit, "disable": None if progress else True}
    with ProgressBar(total=total, initial=done(), **options) as bar:
        for row in rows:
            shown = {} if by_steps else {"step": row["step"]}
            shown |= {"loss": f"{np.mean([row['loss'] for row in history[-SHOWN_LOSSES:]]):.3f}"}
            if "validation_error" in row:
                validation_errors.append(row["validation_error"])
            if validation_errors:
                shown["validation error"] = f"{validation_errors[-1]:.4f}"
            bar.set_postfix(shown, refresh=False)
            bar.update(done() - bar.n)
            yield row
