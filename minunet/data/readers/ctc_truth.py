"""The truth of a frame, from its gold outlines, its silver outlines and its markers.

truth = the gold cells, and the silver cells that are none of the gold ones
known = False around a marker whose cell has no outline
"""

from collections.abc import Iterable

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use


def gold_over_silver(gold: np.ndarray, silver: np.ndarray) -> np.ndarray:
    """Return the gold cells, and the silver cells beside them.

    A silver cell that lies by more than half in gold cells is taken for one of them, and dropped. The others lose only
    the pixels that belong to gold cells, and get new numbers.

    Parameters
    ----------
    gold, silver : integer arrays, (H, W)

    Returns
    -------
    cells : int32 array, (H, W)
    """
    labels, index = np.unique(silver, return_inverse=True)
    index = index.reshape(silver.shape)  # (H, W)
    is_new = (_share(index, gold > 0) <= 0.5) & (labels > 0)  # (labels,)
    kept = is_new[index] & (gold == 0)
    cells = gold.astype(np.int32)
    cells[kept] = 1 + gold.max() + index[kept]
    return cells


def known_pixels(cells: np.ndarray, markers: np.ndarray, reach: float) -> np.ndarray | None:
    """Return where the truth is known, or None if it is known everywhere.

    A marker of which less than half lies in outlined cells belongs to a cell without an outline. That cell may extend
    up to `reach` pixels from its marker, but not into other cells. In this area, cell and background cannot be told
    apart.

    Parameters
    ----------
    cells, markers : integer arrays, (H, W)
    reach : float
        Pixels.

    Returns
    -------
    known : bool array, (H, W), or None
    """
    labels, index = np.unique(markers, return_inverse=True)
    index = index.reshape(markers.shape)  # (H, W)
    lacks_outline = (_share(index, cells > 0) < 0.5) & (labels > 0)  # (labels,)
    if not lacks_outline.any():
        return None
    distance = scipy.ndimage.distance_transform_edt(~lacks_outline[index])  # to the nearest such marker
    return (distance > reach) | (cells > 0)


def largest_diagonal(truths: Iterable[np.ndarray]) -> float:
    """Return the largest diagonal of a cell's bounding box, in pixels; infinity if there is no cell."""
    boxes = [box for cells in truths for box in scipy.ndimage.find_objects(cells) if box is not None]
    lengths = [np.hypot(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes]
    return float(max(lengths, default=np.inf))


def _share(index: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the share of the pixels of each label that lie in a mask."""
    return np.bincount(index.ravel(), weights=mask.ravel()) / np.bincount(index.ravel())
