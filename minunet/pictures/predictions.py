"""predictions.png: image, truth, probability, and which pixels are right; of more than two classes, the classes."""

from pathlib import Path

import numpy as np

from minunet.data.sample import Sample, shortened
from minunet.files import replace_atomically
from minunet.metrics import pixel_error
from minunet.metrics.cells import classes_of
from minunet.metrics.classes import class_errors, confusion
from minunet.pictures.classes import class_legend, classes_shown, in_class_colours, wrong_classes
from minunet.pictures.colours import for_display, legend, right_and_wrong

WIDTH, GAP = 3.0, 0.25  # inches, of one picture and beside it
TALLEST = 2  # times its width; a taller picture is drawn narrower


def plot_predictions(
    samples: list[Sample],
    probabilities: list[np.ndarray],
    path: str | Path,
    count: int = 3,
    threshold: float = 0.5,
    names: list[str] | None = None,
) -> None:
    """Draw one row per sample: image, truth, probability, and which pixels are right and wrong.

    With names of classes it is image, truth, prediction, and the pixels of a wrong class.

    Parameters
    ----------
    samples : the first `count` are drawn
    probabilities : arrays, (K, H, W) each
    threshold : of the probability of cell
    names : of more than two classes, to be shown in colours, as from `class_names`; by default cell and background are
    """
    from matplotlib.figure import Figure

    rows = list(zip(samples, probabilities, strict=True))[:count]
    heights = [WIDTH * min(TALLEST, sample.image.shape[1] / sample.image.shape[2]) + GAP for sample, _ in rows]
    figure = Figure(figsize=(4 * (WIDTH + GAP), sum(heights) + 1.5), layout="constrained")
    all_axes = figure.subplots(len(rows), 4, squeeze=False, height_ratios=heights)
    there: set[int] = set()  # classes
    for axes, (sample, p) in zip(all_axes, rows, strict=True):
        axes[0].imshow(for_display(sample.image), cmap="gray")
        axes[0].set_ylabel(shortened(sample.name))
        classes = classes_of(p, threshold)  # (H, W)
        error = _draw(axes, sample, classes, p) if names is None else _draw_classes(axes, sample, classes, len(names))
        axes[3].set_xlabel(f"pixel error {error:.4f}")
        if names is not None:
            there |= classes_shown(sample.labels, classes)
    titles = ("image", "truth", "probability of cell", "right and wrong")
    if names is not None:
        titles = ("image", "truth", "prediction", "pixels of a wrong class")
    for axes, title in zip(all_axes[0], titles, strict=True):
        axes.set_title(title)
    for axes in all_axes.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    unknown = any(sample.known is not None for sample, _ in rows)
    if names is None:
        shown = all_axes[0, 2].images[0]
        bar = figure.colorbar(shown, ax=all_axes, location="bottom", shrink=0.3, aspect=30)  # below all columns alike
        bar.set_label("probability of cell")
        legend(figure, unknown)
    else:
        class_legend(figure, names, there, unknown)
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _draw(axes, sample: Sample, classes: np.ndarray, p: np.ndarray) -> float:
    """Draw truth, probability of cell, and right and wrong pixels; return the pixel error."""
    truth, proposal = sample.labels > 0, classes > 0
    axes[1].imshow(truth, cmap="gray", vmin=0, vmax=1)
    axes[2].imshow(1 - p[0], cmap="gray", vmin=0, vmax=1)
    axes[3].imshow(right_and_wrong(truth, proposal, sample.known))
    return pixel_error(truth, proposal, sample.known)


def _draw_classes(axes, sample: Sample, classes: np.ndarray, K: int) -> float:
    """Draw truth and prediction in the colours of K classes, and pixels of a wrong class; return the pixel error."""
    axes[1].imshow(in_class_colours(sample.labels, K, sample.known))
    axes[2].imshow(in_class_colours(classes, K))
    axes[3].imshow(wrong_classes(sample.labels, classes, sample.known))
    return class_errors(confusion(sample, classes, K))["pixel_error"]
