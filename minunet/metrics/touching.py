"""Cells that touch, told apart: between two of them the probability falls.

Think of the probability of cell as hills, and of water that sinks from 1 to the threshold. Whenever it has sunk by
STEP, look at each connected piece of land:

    it holds no cell yet, and its top is `split` above the water     it is a new cell
    it holds one cell                                                that cell grows over all of it
    it holds several                                                 they have met: each takes the land nearest to it

At the threshold, a piece that holds no cell yet is one, however low. So which pixels are cell does not change, only
what is one cell and what two. It is a watershed, in steps, from the tops that are high enough.

Two tops are two cells if the lowest point on the best way from one to the other lies at least `split` below both, to
within STEP. (Such tops are the h-maxima of Soille, "Morphological Image Analysis", 2003, section 6.3.3; h is `split`.)
A network is less sure of the pixels between two cells than of the cells even where it calls all of them cell.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import array_module, is_number, to_host
from minunet.errors import InputError, shown
from minunet.metrics.regions import components

STEP = 0.05  # of the probability
TINY = 1e-6  # what rounding may do to a probability
STRIP = 2**18  # pixels that are worked on at a time
SPLIT = 0.1  # the best on nuclei, on synthetic cells and on EM slices: see benchmarks/README.md


def check_split(split: Any) -> None:
    """Raise InputError unless touching cells can be told apart by this fall of the probability."""
    if not is_number(split) or isinstance(split, bool) or not 0 < split <= 1:
        raise InputError(
            f"split must be a number above 0 and at most 1, got {shown(split)}; {SPLIT} is usual, and 1 splits no cell"
        )


def split_touching(cell: np.ndarray, height: np.ndarray, threshold: float, split: float) -> np.ndarray:
    """Return one number per cell, 1, 2, ... in the order of their first pixels, 0 for background: int32, (H, W).

    Parameters
    ----------
    cell : boolean array, (H, W)
        The pixels that are cell.
    height : array, (H, W)
        The probability of cell, 0 to 1.
    threshold : float
        The probability above which pixels are cell.
    split : float
        Above 0; from 1 - threshold on, the cells are the 4-connected components.
    """
    xp = array_module(cell)
    cell, height = to_host(cell), to_host(height)
    height = height.astype(np.result_type(height, np.float32), copy=False)
    labels, pixels = np.zeros(cell.shape, np.int32), np.empty(0, np.int32)
    for level in levels(float(threshold), float(split)):
        land = cell & (height > level + TINY)
        pixels = _sink(labels, pixels, components(land), height, level + split - TINY)
    pieces = components(cell)
    if not pixels.size:
        return xp.asarray(pieces)
    _sink(labels, pixels, pieces, height, -1.0)
    _number_in_order(labels)
    return xp.asarray(labels)


def levels(threshold: float, split: float) -> list[float]:
    """Return the levels at which the water stops, from the highest at which there can be a top to the threshold."""
    steps = range(round(1 / STEP), 0, -1)
    return [k * STEP for k in steps if threshold + TINY < k * STEP <= 1 - split + TINY]


def _sink(labels: np.ndarray, pixels: np.ndarray, pieces: np.ndarray, height: np.ndarray, lowest: float) -> np.ndarray:
    """Let the cells grow over the pieces (H, W) of land that hold some, and add those that hold none and are high.

    `pixels` are the places of a pixel of each cell; those of all cells are returned. A new cell's top is `lowest` or
    higher.
    """
    count = int(pieces.max(initial=0)) + 1
    top, place = np.zeros(count, height.dtype), np.zeros(count, np.int32)
    for rows in strips(labels):
        piece = pieces[rows].ravel()
        np.maximum.at(top, piece, height[rows].ravel())
        place[piece] = np.arange(len(piece)) + rows.start * labels.shape[1]  # the last pixel of a piece stays
    held_by = pieces.ravel()[pixels]
    cells = np.bincount(held_by, minlength=count)  # in each piece
    is_new = (cells == 0) & (top >= lowest)
    is_new[0] = False  # the sea
    number = np.zeros(count, labels.dtype)  # that a piece gets: of the only cell, or of a new one
    number[held_by] = np.arange(1, len(pixels) + 1, dtype=np.int32)
    number[cells > 1] = 0
    number[is_new] = np.arange(1, np.count_nonzero(is_new) + 1, dtype=np.int32) + len(pixels)
    pixels = np.concatenate([pixels, place[is_new]])
    for rows in strips(labels):
        np.copyto(labels[rows], number[pieces[rows]], where=labels[rows] == 0)
    if (cells > 1).any():
        _share(labels, (cells > 1)[pieces])
    return pixels


def _share(labels: np.ndarray, land: np.ndarray) -> None:
    """Let the cells grow over the land (H, W) by a pixel at a time, until they have taken all of it."""
    padded = np.pad(labels, 1)
    flat, around = padded.ravel(), (-padded.shape[1], -1, 1, padded.shape[1])
    land &= labels == 0
    is_open = np.pad(land, 1).ravel()
    shore = np.flatnonzero(scipy.ndimage.binary_dilation(padded > 0).ravel() & is_open)
    while shore.size:
        found = np.zeros(len(shore), labels.dtype)
        for step in around:
            np.maximum(found, flat[shore + step], out=found)
        flat[shore] = found
        is_open[shore] = False
        shore = np.unique(np.concatenate([(shore + step)[is_open[shore + step]] for step in around]))
    labels[...] = padded[1:-1, 1:-1]


def _number_in_order(labels: np.ndarray) -> None:
    """Number the cells by their first pixels, row by row."""
    first = np.full(int(labels.max()) + 1, labels.size)
    for rows in strips(labels):
        pixels = np.arange(labels[rows].size) + rows.start * labels.shape[1]
        np.minimum.at(first, labels[rows].ravel(), pixels)
    number = np.zeros(len(first), labels.dtype)
    number[1:][np.argsort(first[1:])] = np.arange(1, len(first))
    for rows in strips(labels):
        labels[rows] = number[labels[rows]]


def strips(labels: np.ndarray) -> Iterator[slice]:
    """Yield the rows of an image, some at a time, so that what is worked out for each pixel needs little memory."""
    H, W = labels.shape
    count = max(1, STRIP // max(1, W))
    return (slice(top, top + count) for top in range(0, H, count))
