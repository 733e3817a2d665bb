"""The weight map of the paper's equation (2): the thin background between touching cells counts most."""

import math
from typing import Any

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import as_array, is_number
from minunet.errors import InputError

NEGLIGIBLE = 1e-16  # a border term this small, relative to w0, cannot be seen in float32
SHARPEST, BROADEST = 0.01, 1e100  # pixels: for a smaller sigma the border term is 0 everywhere, for a larger one w0
HEAVIEST = 1e30  # a weight; float32 ends at 3e38


def weight_map(
    instances: np.ndarray,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return the loss weight of every pixel.

    w(x) = w_c(x) + w0 * exp(-(d1(x) + d2(x))**2 / (2 * sigma**2))

    The border term is added to the background only; with fewer than two cells it is 0.

    Parameters
    ----------
    instances : integer array, (H, W)
        One number per cell, 0 for background. Cells that touch have no background between them that could
        get a weight: use `separate_touching` first.
    w0, sigma : float
        Height of the border term, and its width in pixels.
    class_weights : (background, cell), optional
        The w_c of each class. By default they balance: equal totals for both classes, and mean 1.

    Returns
    -------
    weights : float32 array, (H, W)
    """
    instances = as_instances(instances)
    if not is_number(sigma) or not sigma > 0:
        raise InputError(f"sigma must be above 0 pixels and finite, got {sigma!r:.80}; the paper uses 5")
    if not _is_weight(w0):
        raise InputError(f"w0 must be from 0 to {HEAVIEST:.0e}, got {w0!r:.80}; the paper uses 10")
    w0, sigma = float(w0), min(max(float(sigma), SHARPEST), BROADEST)
    cell = instances != 0
    background_weight, cell_weight = balanced_weights(cell) if class_weights is None else _checked(class_weights)
    reach = min(sigma * math.sqrt(-2 * math.log(NEGLIGIBLE)), sum(instances.shape))
    d1, d2 = two_nearest(instances, math.ceil(reach))
    border = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))  # 0 where d2 is infinite
    return np.where(cell, cell_weight, background_weight + border).astype(np.float32)


def _checked(class_weights: Any) -> tuple[float, float]:
    """Return the weights of background and cell; raise InputError unless they are two numbers of at least 0."""
    weights = list(class_weights) if isinstance(class_weights, (list, tuple, np.ndarray)) else []
    if len(weights) != 2 or not all(map(_is_weight, weights)):
        raise InputError(
            f"class_weights must be two numbers from 0 to {HEAVIEST:.0e}, (background, cell), got "
            f"{class_weights!r:.80}; None balances the classes"
        )
    return float(weights[0]), float(weights[1])


def _is_weight(x: Any) -> bool:
    return is_number(x) and 0 <= x <= HEAVIEST


def balanced_weights(cell: np.ndarray) -> tuple[float, float]:
    """Return the weights (background, cell) that give both classes equal totals and all pixels mean 1."""
    cells = np.count_nonzero(cell)
    if cells in (0, cell.size):
        return 1.0, 1.0
    return cell.size / (2 * (cell.size - cells)), cell.size / (2 * cells)


def two_nearest(instances: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances to the nearest and to the second-nearest cell, (H, W) each.

    Distances up to `reach` pixels are exact. A cell farther away may be left out; without a cell, the distance is
    infinity. So each cell is measured in its surroundings only, and two arrays are enough for any number of cells.
    """
    _, index = np.unique(instances, return_inverse=True)
    numbered = index.reshape(instances.shape).astype(np.int32)  # 0 for background, the cells 1, 2, ... without gaps
    if instances.all():  # there is no background, so the cells have been numbered from 0 on
        numbered += 1
    d1, d2 = np.full((2, *instances.shape), np.inf)
    for number, box in enumerate(scipy.ndimage.find_objects(numbered), start=1):
        around = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        distance = scipy.ndimage.distance_transform_edt(numbered[around] != number)
        d2[around] = np.minimum(d2[around], np.maximum(d1[around], distance))
        d1[around] = np.minimum(d1[around], distance)
    return d1, d2


def separate_touching(instances: np.ndarray) -> np.ndarray:
    """Return the instances with at least one background pixel between any two cells.

    Afterwards no two pixels of different cells are neighbours, not even diagonally. Where two cells touch, the
    larger one gives way (of equal ones, the one with the larger label): it loses the pixels that touch, and the
    smaller one loses none. A cell that would vanish keeps one pixel, and its neighbours give way there.

    Parameters
    ----------
    instances : integer array, (H, W)
        One number per cell, 0 for background.

    Returns
    -------
    separated : array, (H, W)
        The same labels, in the same dtype.

    Raises
    ------
    InputError
        If a cell has no room: it could keep no pixel without making another cell vanish.
    """
    instances = as_instances(instances)
    labels, inverse, areas = np.unique(instances, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(instances.shape)
    areas[labels == 0] = instances.size + 1  # so that background ranks lowest and always gives way
    rank = np.empty_like(labels, dtype=np.int32)
    rank[np.lexsort((-np.arange(labels.size), -areas))] = np.arange(labels.size)  # smaller cells rank higher
    ranks = rank[inverse]  # (H, W)
    separated = np.where(scipy.ndimage.maximum_filter(ranks, size=3) > ranks, 0, instances)
    for label in np.setdiff1d(labels, separated):
        _keep_one_pixel(label, instances, separated)
    return separated


def _keep_one_pixel(label: int, instances: np.ndarray, separated: np.ndarray) -> None:
    """Give a vanished cell one of its pixels back, in place; raise InputError if another cell would vanish instead."""
    pixels = np.argwhere(instances == label)  # (pixels, 2)
    for y, x in pixels:
        around = separated[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]  # up to (3, 3)
        others = np.unique(around[around != 0])
        if all(np.count_nonzero(separated == other) > np.count_nonzero(around == other) for other in others):
            around[...] = 0
            separated[y, x] = label
            return
    raise InputError(
        f"expected cells that a line of background can separate, found no room for cell {label} (size "
        f"{len(pixels)}) at y={y}, x={x}; remove it, join it to a neighbour, or enlarge the image"
    )


def as_instances(instances: np.ndarray) -> np.ndarray:
    """Return `instances` as an array; raise InputError unless it is (H, W), of integers, none below 0."""
    instances = as_array(instances, "instances")
    if instances.ndim != 2:
        raise InputError(f"instances must be (H, W), got shape {instances.shape}; pass one image at a time")
    if instances.dtype.kind not in "iu":
        raise InputError(
            f"instances must be integers, one number per cell, got {instances.dtype}; "
            "convert them with instances.astype(np.int32)"
        )
    if not instances.size:
        raise InputError(f"instances must have pixels, got shape {instances.shape}; pass a non-empty image")
    if instances.min() < 0:
        raise InputError(f"instances must not be below 0, got {instances.min()}; use 0 for background")
    return instances
