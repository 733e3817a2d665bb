"""contact_sheet.png: the held-out images, the worst first, since these are the ones to look at."""

import math
from pathlib import Path

import numpy as np

from minunet.data.sample import Sample, shortened
from minunet.files import replace_atomically
from minunet.metrics.cells import classes_of
from minunet.pictures.classes import class_legend, classes_shown, in_class_colours, wrong_classes
from minunet.pictures.colours import for_display, legend, right_and_wrong

PAPER = "#D8D8D8"  # neither the white of a cell nor the black of the background


def plot_contact_sheet(
    samples: list[Sample],
    probabilities: list[np.ndarray],
    errors: list[float],
    path: str | Path,
    count: int = 12,
    threshold: float = 0.5,
    names: list[str] | None = None,
) -> None:
    """Draw image, truth, and right and wrong pixels side by side, for each sample, the largest error first.

    With names of classes they are image, truth, prediction, and the pixels of a wrong class.

    Parameters
    ----------
    samples : not empty; the `count` worst are drawn
    probabilities : arrays, (K, H, W) each
    errors : the pixel error of each sample, written above it
    threshold : of the probability of cell
    names : of more than two classes, to be shown in colours, as from `class_names`; by default cell and background are
    """
    from matplotlib.figure import Figure

    worst = np.argsort(np.negative(errors), kind="stable")[:count]
    columns = 1 if len(worst) <= 3 else 2
    rows = math.ceil(len(worst) / columns)
    width, across = 14 / columns, 3 if names is None else 4  # inches, of so many pictures side by side
    tall = [samples[i].image.shape[1] / samples[i].image.shape[2] for i in worst]  # H / W
    heights = [width / across * min(2, max(tall[r * columns : (r + 1) * columns])) + 0.3 for r in range(rows)]
    figure = Figure(figsize=(columns * width, sum(heights) + 0.9), layout="constrained", facecolor=PAPER)
    all_axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights).ravel()
    for axes in all_axes:
        axes.set_axis_off()
        axes.set_anchor("NW")  # pictures of other shapes begin at the left, too
    shown: set[int] = set()  # classes
    for axes, i in zip(all_axes, worst, strict=False):  # with an odd number, the last axes stay empty
        proposal = classes_of(probabilities[i], threshold)
        if names is None:
            drawn = strip(samples[i], proposal)
        else:
            drawn = strip_of_classes(samples[i], proposal, len(names))
            shown |= classes_shown(samples[i].labels, proposal)
        axes.imshow(drawn, interpolation="antialiased")
        axes.set_title(f"{shortened(samples[i].name)}   pixel error {errors[i]:.4f}", fontsize=10, loc="left")
    which = f"the {len(worst)} worst of {len(samples)} images" if len(worst) < len(samples) else "worst first"
    unknown = any(samples[i].known is not None for i in worst)
    if names is None:
        figure.suptitle(f"image | truth | right and wrong pixels: {which}")
        legend(figure, unknown)
    else:
        figure.suptitle(f"image | truth | prediction | pixels of a wrong class: {which}")
        class_legend(figure, names, shown, unknown)
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def strip(sample: Sample, classes: np.ndarray) -> np.ndarray:
    """Return image, truth, and right and wrong, side by side with a gap, (H, about 3 W, 3); `classes` are predicted."""
    truth, proposal = sample.labels > 0, classes > 0  # (H, W)
    return _side_by_side(sample, truth, right_and_wrong(truth, proposal, sample.known))


def strip_of_classes(sample: Sample, classes: np.ndarray, K: int) -> np.ndarray:
    """Return image, truth, prediction, and pixels of a wrong class, of K, side by side with a gap."""
    truth = in_class_colours(sample.labels, K, sample.known)
    wrong = wrong_classes(sample.labels, classes, sample.known)
    return _side_by_side(sample, truth, in_class_colours(classes, K), wrong)


def _side_by_side(sample: Sample, *pictures: np.ndarray) -> np.ndarray:
    """Return the image and the pictures, (H, W) or (H, W, 3) each, side by side with a gap.

    Where all pictures are float32, so is the result.
    """
    from matplotlib.colors import to_rgb

    H, W = sample.labels.shape
    dtype = np.float32 if all(picture.dtype == np.float32 for picture in pictures) else np.float64
    gap = np.broadcast_to(np.array(to_rgb(PAPER), dtype), (H, max(1, W // 40), 3))
    row = [_rgb(for_display(sample.image)).astype(dtype, copy=False)]
    for picture in pictures:
        row += [gap, _rgb(picture)]
    return np.hstack(row)


def _rgb(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2).astype(float)
