"""Cells from a map of probabilities: connected components, and the watershed that lets them grow until they meet.

    labels = seeds
    while pixels wait:  take the lowest one;  give its label to each neighbour without one, which then waits too

Water rises from the seeds, and the border is where the water of two seeds meets. No pixel is left without a label: the
border is the line between two labels. scipy.ndimage.watershed_ift gives other results: it goes by the step between two
pixels and not by their height, so it climbs any ridge whose slope is gentle.
"""

import heapq
import math

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import array_module, as_array, check_finite, ndimage_of, to_host
from minunet.errors import InputError


def components(cell: np.ndarray) -> np.ndarray:
    """Return the 4-connected components of a boolean image, int32, (H, W): 1, 2, ..., 0 for background."""
    cell = as_array(cell, "cell")
    if cell.ndim != 2:
        raise InputError(f"cell must be an image (H, W), got shape {cell.shape}; pass one image at a time")
    return ndimage_of(cell).label(cell)[0]


def watershed(height: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the seeds, grown over the whole image; 4-connected; on level ground, the nearest seed wins.

    Parameters
    ----------
    height : array, (H, W)
        For example, minus the probability of cell.
    seeds : integer array, (H, W)
        One number per seed, 0 elsewhere.

    Returns
    -------
    labels : array like seeds
        Above 0 everywhere, unless there is no seed.
    """
    height, seeds = as_array(height, "height"), as_array(seeds, "seeds", "iu")
    check_finite(height, "height")
    if seeds.ndim != 2 or height.shape != seeds.shape:
        raise InputError(f"height and seeds must be images (H, W) of one size, got {height.shape} and {seeds.shape}")
    if seeds.size and seeds.min() < 0:
        raise InputError(f"seeds must not be below 0, got {seeds.min()}; use 0 where there is no seed")
    xp = array_module(seeds)
    height, seeds = to_host(height), to_host(seeds)  # one pixel at a time: a GPU would be slower
    padded_width = height.shape[1] + 2
    heights, labels = (np.pad(a, 1, constant_values=-1).ravel().tolist() for a in (height, seeds))  # -1: outside
    rims = (seeds > 0) & scipy.ndimage.binary_dilation(seeds == 0)  # seed pixels that can grow
    queue = [(-math.inf, i, i) for i in np.flatnonzero(np.pad(rims, 1)).tolist()]  # sorted, so already a heap
    arrivals = len(labels)  # counts up: of equal heights, the first to arrive leaves first
    while queue:
        _, _, i = heapq.heappop(queue)
        for j in (i - padded_width, i - 1, i + 1, i + padded_width):
            if labels[j] == 0:
                labels[j] = labels[i]
                arrivals += 1
                heapq.heappush(queue, (heights[j], arrivals, j))
    return xp.array(labels, seeds.dtype).reshape(-1, padded_width)[1:-1, 1:-1]
