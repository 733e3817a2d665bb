"""predictions.png: image, truth, probability, and which pixels are right."""

from pathlib import Path

import numpy as np

from minunet.data.sample import Sample
from minunet.files import replace_atomically
from minunet.metrics import pixel_error
from minunet.metrics.cells import classes_of
from minunet.pictures.colours import for_display, legend, right_and_wrong

WIDTH, GAP = 3.0, 0.25  # inches, of one picture and beside it
TALLEST = 2  # times its width; a taller picture is drawn narrower


def plot_predictions(
    samples: list[Sample],
    probabilities: list[np.ndarray],
    path: str | Path,
    count: int = 3,
    threshold: float = 0.5,
) -> None:
    """Draw one row per sample: image, truth, probability, and which pixels are right and wrong.

    Parameters
    ----------
    samples : the first `count` are drawn
    probabilities : arrays, (K, H, W) each
    threshold : of the probability of cell
    """
    from matplotlib.figure import Figure

    rows = list(zip(samples, probabilities, strict=True))[:count]
    heights = [WIDTH * min(TALLEST, sample.image.shape[1] / sample.image.shape[2]) + GAP for sample, _ in rows]
    figure = Figure(figsize=(4 * (WIDTH + GAP), sum(heights) + 1.5), layout="constrained")
    all_axes = figure.subplots(len(rows), 4, squeeze=False, height_ratios=heights)
    for axes, (sample, p) in zip(all_axes, rows, strict=True):
        truth, proposal, known = sample.labels > 0, classes_of(p, threshold) > 0, sample.known  # (H, W)
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
    bar = figure.colorbar(shown, ax=all_axes, location="bottom", shrink=0.3, aspect=30)  # below all columns alike
    bar.set_label("probability of cell")
    legend(figure, unknown=any(sample.known is not None for sample, _ in rows))
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))
