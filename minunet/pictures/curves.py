"""curves.png: how the loss and the pixel error fell during a run."""

from pathlib import Path

import numpy as np

from minunet.files import replace_atomically
from minunet.pictures.colours import MISS

LONG = 20  # characters, which begin a line of their own


def plot_curves(history: list[dict], path: str | Path, images: str = "held-out images") -> None:
    """Draw the loss over the steps, smoothed, and below it the pixel error on the held-out images.

    `images` says on what part of them, if not on all.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    loss_axes, error_axes = figure.subplots(2, 1, sharex=True)
    steps, losses = (np.array([row[name] for row in history]) for name in ("step", "loss"))
    loss_axes.plot(steps, losses, ".", color="0.8", markersize=3, label="each step")
    loss_axes.plot(steps, _smooth(losses), color="black", label="running mean")
    loss_axes.set_yscale("log")
    loss_axes.set_ylabel("training loss")
    loss_axes.legend()

    validated = [row for row in history if "validation_error" in row]
    validated_steps = [row["step"] for row in validated]
    error_axes.plot(validated_steps, [row["validation_error"] for row in validated], "o-", color=MISS, label="network")
    majority = [row["majority_error"] for row in validated]
    error_axes.plot(validated_steps, majority, "--", color="0.5", label="majority class")
    error_axes.set_ylim(bottom=0)
    error_axes.set_xlabel("step")
    error_axes.set_ylabel(f"pixel error, {images}" if len(images) < LONG else f"pixel error\n{images}")
    error_axes.legend()
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return the mean of each value and up to 19 before it."""
    sums = np.cumsum(values)
    width = np.minimum(np.arange(1, len(values) + 1), 20)
    before = np.concatenate([np.zeros(20), sums])[: len(values)]
    return (sums - before) / width
