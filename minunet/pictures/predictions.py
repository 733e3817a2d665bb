"""predictions.png: image, truth, probability, and which pixels are right."""

from pathlib import Path

import numpy as np

from minunet.data.sample import Sample
from minunet.files import replace_atomically
from minunet.metrics import pixel_error
from minunet.pictures.colours import for_display, legend, right_and_wrong


def plot_predictions(samples: list[Sample], probabilities: list[np.ndarray], path: str | Path, count: int = 3) -> None:
    """Draw one row per sample: image, truth, probability, and which pixels are right and wrong.

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
