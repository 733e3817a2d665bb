"""NAME_overlay.png of `minunet predict`: an image with the outline of each cell that was found."""

import numpy as np

# The colours of Okabe and Ito for classes 1, 2, ..., without black. With a black rim each shows on any grey.
COLOURS = np.array(
    [(240, 228, 66), (86, 180, 233), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (0, 114, 178)],
    np.uint8,
)
QUANTILES = 0.001, 0.999  # the grey values that are shown as black and as white
ENOUGH = 2**20  # pixels, to find them
STRIP = 2**20  # pixels: so many become grey values at a time


def overlay(image: np.ndarray, labels: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
    """Return the image as colours from 0 to 255, uint8 (H, W, 3), with a line along the inner edge of each cell.

    A black line runs beside it, outside the cell.

    Parameters
    ----------
    image : array, (C, H, W)
        Its contrast is stretched, whatever its bit depth. With three channels they are red, green and blue; of any
        other number their mean is shown.
    labels : integer array, (H, W)
        One number per cell, 0 for background.
    classes : integer array, (H, W), optional
        The class of each pixel; it gives the colour of the line. By default all cells are of class 1.
    """
    picture = _stretched(image)
    edge = _edges(labels)
    picture[edge & (labels == 0)] = 0
    edge &= labels > 0
    picture[edge] = COLOURS[0] if classes is None else COLOURS[(classes[edge] - 1) % len(COLOURS)]
    return picture


def _stretched(image: np.ndarray) -> np.ndarray:
    """Return an image (C, H, W) as uint8 (H, W, 3), a strip of rows at a time."""
    _, H, W = image.shape
    step = 1 + int(np.sqrt(H * W / ENOUGH))
    low, high = np.quantile(image[:, ::step, ::step], QUANTILES)
    scale = 255 / max(float(high - low), 1e-9)
    picture = np.empty((H, W, 3), np.uint8)
    rows = max(1, STRIP // W)
    for top in range(0, H, rows):
        part = image[:, top : top + rows]
        part = part if len(part) == 3 else part.mean(axis=0, keepdims=True)  # (3 or 1, rows, W)
        picture[top : top + rows] = np.clip((part - low) * scale, 0, 255).transpose(1, 2, 0)
    return picture


def _edges(labels: np.ndarray) -> np.ndarray:
    """Return True at the pixels that have a neighbour, above, below, left or right, of another number."""
    edge = np.zeros(labels.shape, bool)
    differs = labels[1:] != labels[:-1]
    edge[1:] |= differs
    edge[:-1] |= differs
    differs = labels[:, 1:] != labels[:, :-1]
    edge[:, 1:] |= differs
    edge[:, :-1] |= differs
    return edge
