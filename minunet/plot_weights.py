"""weights.png: an image, its cells, and what each pixel weighs in the loss, as in Fig. 3."""

from pathlib import Path

import numpy as np
import scipy  # it imports scipy.ndimage at its first use

from minunet.data.sample import Sample
from minunet.display import for_display
from minunet.files import replace_atomically

BLACK = (0, 0, 0)  # background
OKABE_ITO = [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)]
COLOURS = np.array([BLACK, *OKABE_ITO], np.uint8)  # told apart by colour-blind eyes too
NEAR = 5  # pixels: cells that are nearer than that get different colours


def plot_weight_map(sample: Sample, weights: np.ndarray, path: str | Path) -> None:
    """Draw an image beside its cells in colours and its loss weights.

    Parameters
    ----------
    sample : Sample
        Without instances, the connected components of its labels are taken for cells.
    weights : array, (H, W)
    path : where to write the picture
    """
    from matplotlib.figure import Figure

    cells = sample.instances if sample.instances is not None else scipy.ndimage.label(sample.labels)[0]
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    image_axes, cells_axes, weights_axes = all_axes = figure.subplots(1, 3)
    image_axes.imshow(for_display(sample.image), cmap="gray")
    cells_axes.imshow(coloured(cells))
    shown = weights_axes.imshow(weights, cmap="viridis", vmin=0)
    figure.colorbar(shown, ax=weights_axes, shrink=0.9)
    titles = (f"image {sample.name}", f"{len(np.unique(cells[cells > 0]))} cells", "weight of each pixel in the loss")
    for axes, title in zip(all_axes, titles, strict=True):
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))


def coloured(cells: np.ndarray) -> np.ndarray:
    """Return an RGB image, (H, W, 3) uint8, in which near cells differ, for an image of cell numbers (H, W)."""
    numbered = np.unique(cells, return_inverse=True)[1].reshape(cells.shape) + int(cells.all())  # 0 for background
    colour = np.zeros(numbered.max() + 1, int)
    for number, box in enumerate(scipy.ndimage.find_objects(numbered), start=1):
        around = tuple(slice(max(0, side.start - NEAR), side.stop + NEAR) for side in box)
        near = numbered[around][scipy.ndimage.distance_transform_edt(numbered[around] != number) <= NEAR]
        taken = np.bincount(colour[near], minlength=len(COLOURS))
        taken[0] = numbered.size  # background's own
        turn = np.roll(np.arange(len(COLOURS)), -number)  # of several that are free the next, so that all occur
        colour[number] = turn[taken[turn].argmin()]
    return COLOURS[colour][numbered]
