"""Simple points: pixels that can be flipped without cutting, joining, adding or removing a cell or a hole.

Cells are 4-connected, background is 8-connected, so that a diagonal line of membrane pixels separates two cells. Of
the eight neighbours of a pixel, count

    T4 = the 4-connected pieces of cell that are 4-neighbours of the pixel      (a diagonal piece does not touch it)
    T8 = the 8-connected pieces of background

The pixel is simple if T4 = T8 = 1: it has one piece of cell on one side and one piece of background on the other.
Its own value does not matter. The eight neighbours make a code of 8 bits, so a table of 256 entries is enough.
"""

import functools

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]  # bit k of a code is neighbour k
EIGHT = np.ones((3, 3), int)


@functools.cache
def simple_table() -> np.ndarray:
    """Return whether a pixel is simple, (256,) bool, by the code of its neighbours."""
    return np.array([_is_simple(code) for code in range(256)])


def neighbour_codes(cell: np.ndarray) -> np.ndarray:
    """Return the code of each pixel: bit k is set if neighbour k is a cell; outside the image is background.

    Parameters
    ----------
    cell : boolean array, (H, W)

    Returns
    -------
    codes : uint8 array, (H, W)
    """
    H, W = cell.shape
    padded = np.pad(cell, 1)
    codes = np.zeros((H, W), np.uint8)
    for k, (y, x) in enumerate(NEIGHBOURS):
        codes |= padded[1 + y : 1 + y + H, 1 + x : 1 + x + W].astype(np.uint8) << k
    return codes


def _is_simple(code: int) -> bool:
    cell = np.zeros((3, 3), bool)
    for k, (y, x) in enumerate(NEIGHBOURS):
        cell[1 + y, 1 + x] = code >> k & 1
    background = ~cell
    background[1, 1] = False
    pieces, _ = scipy.ndimage.label(cell)  # 4-connected
    beside = {pieces[0, 1], pieces[1, 0], pieces[1, 2], pieces[2, 1]} - {0}
    return len(beside) == 1 and scipy.ndimage.label(background, EIGHT)[1] == 1
