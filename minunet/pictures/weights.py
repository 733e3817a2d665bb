"""weights.png: the loss weights of an image, as in Fig. 3d. matplotlib is imported only when it is drawn."""

from pathlib import Path

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.data.sample import Sample, shortened
from minunet.files import replace_atomically
from minunet.pictures.colours import UNKNOWN, for_display

# The colours of Okabe and Ito, which colour-blind readers can tell apart; the ones that contrast most come first.
COLOURS = "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2"
NEAR = 10  # pixels: cells at most this far apart get different colours


def plot_weights(sample: Sample, weights: np.ndarray, path: str | Path) -> None:
    """Draw image, cells in colours, and weights; grey where the truth is not known.

    Parameters
    ----------
    sample : Sample
        Where its instances are None, the connected components of class 1 are drawn as cells.
    weights : array, (H, W)
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    cells = sample.instances if sample.instances is not None else scipy.ndimage.label(sample.labels)[0]
    H, W = weights.shape
    figure = Figure(figsize=(15, 4.6 * min(2, max(0.5, H / W)) + 0.6), layout="constrained")
    image_axes, cells_axes, weights_axes = figure.subplots(1, 3)
    image_axes.imshow(for_display(sample.image), cmap="gray")
    cells_axes.imshow(in_colours(cells, sample.known), interpolation="nearest")
    shown = np.ma.masked_where(np.zeros_like(weights, bool) if sample.known is None else ~sample.known, weights)
    colours = colormaps["inferno"].with_extremes(bad=UNKNOWN)
    drawn = weights_axes.imshow(shown, cmap=colours, vmin=0, interpolation="nearest")
    figure.colorbar(drawn, ax=weights_axes, label="weight", shrink=0.9)
    count = len(np.unique(cells[cells > 0]))
    titles = (shortened(sample.name), f"{count} cells", "loss weight of each pixel")
    for axes, title in zip((image_axes, cells_axes, weights_axes), titles, strict=True):
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def in_colours(cells: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return an RGB image, (H, W, 3): cells in colours that differ between neighbours, background black.

    Background that is not known is grey.
    """
    from matplotlib.colors import to_rgb

    picture = np.zeros((*cells.shape, 3))
    if known is not None:
        picture[~known] = to_rgb(UNKNOWN)
    is_cell = cells > 0
    numbers = np.unique(cells[is_cell], return_inverse=True)[1]  # 0, 1, ... without gaps, of each pixel in a cell
    index = np.full(cells.shape, -1)
    index[is_cell] = numbers
    colours = [to_rgb(COLOURS[i]) for i in distinct_colours(index)]
    picture[is_cell] = np.reshape(colours, (-1, 3))[numbers]
    return picture


def distinct_colours(index: np.ndarray) -> list[int]:
    """Return for each cell the index of its colour in COLOURS.

    It is the colour that is used least among the neighbours; of several, the one that is used least so far.

    Parameters
    ----------
    index : integer array, (H, W)
        The cells 0, 1, ... without gaps; -1 for background.
    """
    colours: list[int] = []
    for cell, box in enumerate(scipy.ndimage.find_objects(index + 1)):
        around = index[tuple(slice(max(0, side.start - NEAR), side.stop + NEAR) for side in box)]
        near = around[scipy.ndimage.distance_transform_edt(around != cell) <= NEAR]
        taken = [colours[other] for other in np.unique(near[(near >= 0) & (near < cell)])]
        colours.append(min(range(len(COLOURS)), key=lambda colour: (taken.count(colour), colours.count(colour))))
    return colours
