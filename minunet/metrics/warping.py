"""Warping error: what is left of the differences once the truth has been bent as far as it goes without tearing.

A border that runs one pixel beside the true one loses no cell, but one with a gap merges two cells. So the truth is
warped towards the proposal first: one by one, pixels that differ and are simple (see `simple_points.py`) are flipped
from cell to background or back, which keeps every cell and every hole.

    warped        = truth
    while a pixel of warped != proposal is simple in warped:  flip the one of the largest difference
    warping_error = share of pixels at which warped != proposal

Only pixels that differ may flip. A border so far from the true one that the two do not touch is not a shifted border.
It counts as one border lost, which costs its length, and another one added.

A flipped pixel agrees from then on, so each is flipped once at most. A flip can make only its neighbours simple, so
only these go back into the queue. The order matters: an early flip may make a later one impossible. Where two binary
images differ, they all differ by 1. Such ties are taken first in, first out, starting row by row, so that a border
moves as a front, one layer of pixels at a time.
"""

import heapq

import numpy as np

from minunet.backend import as_array, check_finite, to_host
from minunet.errors import InputError
from minunet.metrics.checks import binary_pair
from minunet.metrics.simple_points import NEIGHBOURS, neighbour_codes, simple_table


def warping_error(
    truth: np.ndarray,
    proposal: np.ndarray,
    probability: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> float:
    """Return the share of pixels, 0 to 1, that still differ after warping.

    Parameters
    ----------
    truth, proposal : array of 0 and 1, (H, W)
        0 is background or membrane, 1 is cell. Outside the image is background.
    probability : array, (H, W), optional
        The probability of cell that was thresholded to get the proposal. It gives the order of the flips: pixels of
        the largest ``abs(probability - truth)`` first. Without it all differences are 1.
    known : boolean array, (H, W), optional
        Pixels where it is False are taken from the truth, never flipped, and left out of the share.

    Raises
    ------
    InputError
        If the shapes differ or are not (H, W), no pixel is known, or there are values other than 0 and 1.
    """
    truth, proposal, known = binary_pair(truth, proposal, known)
    truth, proposal, known = to_host(truth), to_host(proposal), to_host(known)  # pixel by pixel, a GPU would be slower
    if truth.ndim != 2:
        raise InputError(f"truth must be (H, W), got shape {truth.shape}; pass one image at a time")
    probability = proposal.astype(float) if probability is None else to_host(as_array(probability, "probability"))
    if probability.shape != truth.shape:
        raise InputError(
            f"probability must have the shape of truth, {truth.shape}, got {probability.shape}; pass that of cell only"
        )
    check_finite(probability, "probability")
    probability = probability.astype(np.float64)
    warped = warp(truth, np.where(known, proposal, truth), difference=np.abs(probability - truth))
    return float((warped != proposal)[known].mean())


def warp(truth: np.ndarray, proposal: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Return the truth, warped towards the proposal; where the two still differ, cells were cut, joined, lost or added.

    Parameters
    ----------
    truth, proposal : boolean array, (H, W)
    difference : array, (H, W)
        Of the pixels to flip, the one with the largest difference comes first.

    Returns
    -------
    warped : boolean array, (H, W)
    """
    wrong = truth != proposal
    wrong[_flips(truth, wrong, difference)] = False
    return proposal ^ wrong


def _flips(truth: np.ndarray, wrong: np.ndarray, difference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns of the pixels that can be flipped.

    The lists are plain Python, since reading one element of an array takes ten times as long. A margin of one pixel
    makes tests for the edge of the image unnecessary; no pixel in it is wrong, so none is flipped.
    """
    padded_width = truth.shape[1] + 2
    simple = simple_table().tolist()
    codes, waiting, ranks = (np.pad(a, 1).ravel().tolist() for a in (neighbour_codes(truth), wrong, -difference))
    # A pixel is neighbour 7 - k of its own neighbour k: that bit of the neighbour's code changes with the pixel.
    around = [(y * padded_width + x, 1 << (7 - k)) for k, (y, x) in enumerate(NEIGHBOURS)]
    queue = [(ranks[i], i, i) for i in np.flatnonzero(np.pad(wrong, 1)).tolist() if simple[codes[i]]]
    heapq.heapify(queue)
    flipped = []
    arrivals = len(waiting)  # counts up: of equal ranks, the first to arrive leaves first
    while queue:
        _, _, i = heapq.heappop(queue)
        if not (waiting[i] and simple[codes[i]]):
            continue
        waiting[i] = False
        flipped.append(i)
        for step, bit in around:
            j = i + step
            codes[j] ^= bit
            if waiting[j] and simple[codes[j]]:
                arrivals += 1
                heapq.heappush(queue, (ranks[j], arrivals, j))
    rows, columns = np.divmod(np.array(flipped, int), padded_width)
    return rows - 1, columns - 1
