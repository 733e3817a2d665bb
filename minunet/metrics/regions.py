"""Cells from a map of probabilities: connected components, and the watershed that lets them grow until they meet.

    labels = seeds
    while a pixel waits:  take the lowest;  give its label to each neighbour without one, which then waits, too

Water rises from the seeds; where the waters of two seeds meet, the border lies. No pixel is left without a label, and
the border is the line between two labels. scipy.ndimage.watershed_ift will not do: its cost is the step between two
pixels and not their height, so that it climbs any ridge whose slope is gentle.
"""

import heapq
import math

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import array_module, ndimage_of, to_host


def components(cell: np.ndarray) -> np.ndarray:
    """Return the 4-connected components of a boolean image, int32, (H, W): 1, 2, ..., 0 for background."""
    return ndimage_of(cell).label(cell)[0]


def watershed(height: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the seeds, grown over the whole image; 4-connected; level ground goes to the nearest seed.

    Parameters
    ----------
    height : array, (H, W)
        Such as minus the probability of cell.
    seeds : integer array, (H, W)
        One number per cell, 0 where there is none.

    Returns
    -------
    labels : array like seeds
        Above 0 everywhere, if there is a seed at all.
    """
    xp = array_module(seeds)
    height, seeds = to_host(height), to_host(seeds)  # a queue is nothing for a GPU
    padded_width = height.shape[1] + 2
    heights, labels = (np.pad(a, 1, constant_values=-1).ravel().tolist() for a in (height, seeds))  # -1: outside
    shores = (seeds > 0) & scipy.ndimage.binary_dilation(seeds == 0)
    queue = [(-math.inf, i, i) for i in np.flatnonzero(np.pad(shores, 1)).tolist()]  # sorted, so a heap already
    arrivals = len(labels)  # a number that only grows: of equal heights, the first to arrive is first
    while queue:
        _, _, i = heapq.heappop(queue)
        for j in (i - padded_width, i - 1, i + 1, i + padded_width):
            if labels[j] == 0:
                labels[j] = labels[i]
                arrivals += 1
                heapq.heappush(queue, (heights[j], arrivals, j))
    return xp.array(labels, seeds.dtype).reshape(-1, padded_width)[1:-1, 1:-1]
