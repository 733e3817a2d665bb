"""The two pictures of a run: curves.png and predictions.png. matplotlib is imported only when one is drawn."""

from pathlib import Path

import numpy as np

from minunet.data.sample import Sample
from minunet.display import MISS, for_display, legend, right_and_wrong
from minunet.files import replace_atomically
from minunet.metrics import pixel_error


def plot_curves(history: list[dict], path: str | Path) -> None:
    """Draw the loss over the steps, smoothed, and below it the pixel error on the held-out images."""
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
    steps = [row["step"] for row in validated]
    error_axes.plot(steps, [row["validation_error"] for row in validated], "o-", color=MISS, label="network")
    majority = [row["majority_error"] for row in validated]
    error_axes.plot(steps, majority, "--", color="0.5", label="majority class")
    error_axes.set_ylim(bottom=0)
    error_axes.set_xlabel("step")
    error_axes.set_ylabel("pixel error, held-out images")
    error_axes.legend()
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))


def plot_predictions(samples: list[Sample], probabilities: list[np.ndarray], path: str | Path, count: int = 3) -> None:
    """Draw a row a sample: image, truth, probability, and which pixels are right and wrong.

    Parameters
    ----------
    samples : the first `count` are drawn
    probabilities : arrays, (K, H, W) each
    """
    from matplotlib.figure import Figure

    rows = list(zip(samples, probabilities, strict=True))[:count]
    figure = Figure(figsize=(13, 3.3 * len(rows) + 0.6), layout="constrained")
    all_axes = figure.subplots(len(rows), 4, squeeze=False)
    for axes, (sample, p) in zip(all_axes, rows, strict=True):
        truth, proposal, known = sample.labels > 0, p.argmax(axis=0) > 0, sample.known  # (H, W)
        image = for_display(sample.image)
        axes[0].imshow(image, cmap="gray")
        axes[1].imshow(truth, cmap="gray", vmin=0, vmax=1)
        shown = axes[2].imshow(1 - p[0], cmap="gray", vmin=0, vmax=1)
        axes[3].imshow(right_and_wrong(truth, proposal, known))
        axes[0].set_ylabel(sample.name)
        axes[3].set_xlabel(f"pixel error {pixel_error(truth, proposal, known):.4f}")
    for axes, title in zip(all_axes[0], ("image", "truth", "probability of cell", "right and wrong"), strict=True):
        axes.set_title(title)
    for axes in all_axes.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(shown, ax=all_axes[:, 2], location="bottom", shrink=0.6, aspect=30)
    legend(figure, unknown=any(sample.known is not None for sample, _ in rows))
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return the mean of each value and up to 19 before it."""
    sums = np.cumsum(values)
    width = np.minimum(np.arange(1, len(values) + 1), 20)
    before = np.concatenate([np.zeros(20), sums])[: len(values)]
    return (sums - before) / width
