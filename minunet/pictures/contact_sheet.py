"""contact_sheet.png: the held-out images, the worst first, since these are the ones to look at."""

import math
from pathlib import Path

import numpy as np

from minunet.data.sample import Sample, shortened
from minunet.files import replace_atomically
from minunet.metrics.cells import classes_of
from minunet.pictures.colours import for_display, legend, right_and_wrong

PAPER = "#D8D8D8"  # neither the white of a cell nor the black of the background


def plot_contact_sheet(
    samples: list[Sample],
    probabilities: list[np.ndarray],
    errors: list[float],
    path: str | Path,
    count: int = 12,
    threshold: float = 0.5,
) -> None:
    """Draw image, truth, and right and wrong pixels side by side, for each sample, the largest error first.

    Parameters
    ----------
    samples : not empty; the `count` worst are drawn
    probabilities : arrays, (K, H, W) each
    errors : the pixel error of each sample, written above it
    threshold : of the probability of cell
    """
    from matplotlib.figure import Figure

    worst = np.argsort(np.negative(errors), kind="stable")[:count]
    columns = 1 if len(worst) <= 3 else 2
    rows = math.ceil(len(worst) / columns)
    width = 14 / columns  # inches, of three pictures side by side
    tall = [samples[i].image.shape[1] / samples[i].image.shape[2] for i in worst]  # H / W
    heights = [width / 3 * min(2, max(tall[r * columns : (r + 1) * columns])) + 0.3 for r in range(rows)]
    figure = Figure(figsize=(columns * width, sum(heights) + 0.9), layout="constrained", facecolor=PAPER)
    all_axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights).ravel()
    for axes in all_axes:
        axes.set_axis_off()
        axes.set_anchor("NW")  # pictures of other shapes begin at the left, too
    for axes, i in zip(all_axes, worst, strict=False):  # with an odd number, the last axes stay empty
        axes.imshow(strip(samples[i], probabilities[i], threshold), interpolation="antialiased")
        axes.set_title(f"{shortened(samples[i].name)}   pixel error {errors[i]:.4f}", fontsize=10, loc="left")
    which = f"the {len(worst)} worst of {len(samples)} images" if len(worst) < len(samples) else "worst first"
    figure.suptitle(f"image | truth | right and wrong pixels: {which}")
    legend(figure, unknown=any(samples[i].known is not None for i in worst))
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def strip(sample: Sample, p: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return image, truth, and right and wrong, side by side with a gap, (H, about 3 W, 3)."""
    from matplotlib.colors import to_rgb

    truth, proposal = sample.labels > 0, classes_of(p, threshold) > 0  # (H, W)
    image = _rgb(for_display(sample.image))
    gap = np.broadcast_to(to_rgb(PAPER), (len(truth), max(1, truth.shape[1] // 40), 3))
    return np.hstack([image, gap, _rgb(truth), gap, right_and_wrong(truth, proposal, sample.known)])


def _rgb(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2).astype(float)
