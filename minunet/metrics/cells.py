"""The cells of a prediction: one number for each, and how large, how bright and where each is."""

from typing import Any

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import array_module, as_array, check_finite, check_same_device, is_whole_number, to_host
from minunet.errors import InputError, shown
from minunet.metrics.touching import SPLIT, check_split, split_touching, strips

SPECK = 5  # pixels: what has no more is hardly a cell


def label_cells(
    probabilities: np.ndarray, threshold: float = 0.5, split: float = SPLIT, min_area: int = 0
) -> np.ndarray:
    """Return one number per cell, 1, 2, ..., and 0 for background: int32, (H, W).

    The pixels whose probability of cell is above the threshold make 4-connected components; one in which the
    probability falls between two tops by `split`, to within 0.05, is two cells (see `touching.py`). With several
    classes of cells, a cell's pixels are also of one class; with one, these are the cells that `evaluate` measures.

    Parameters
    ----------
    probabilities : array, (K, H, W) as from `predict`, or (H, W)
        Of each class, or of cell.
    threshold : float
        From 0 to 1.
    split : float
        Above 0; 1 splits nothing: a cell is a component.
    min_area : int
        Cells of fewer pixels are left out, and the others are numbered anew.

    Raises
    ------
    InputError
        If there are other shapes, or values below 0 or above 1.
    """
    check_min_area(min_area)
    return without_small(label_classes(classes_of(probabilities, threshold), probabilities, threshold, split), min_area)


def check_min_area(min_area: Any) -> None:
    """Raise InputError unless this is a number of pixels below which a cell is left out."""
    if not is_whole_number(min_area) or min_area < 0:
        raise InputError(
            f"min_area must be a whole number of pixels, at least 0, got {shown(min_area)}; 0 leaves out no cell"
        )


def areas_of(labels: np.ndarray) -> np.ndarray:
    """Return the pixels of cell 1, 2, ..., int64."""
    labels = to_host(labels)
    areas = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for rows in strips(labels):
        areas += np.bincount(labels[rows].ravel(), minlength=len(areas))
    return areas[1:]


def without_small(labels: np.ndarray, min_area: int) -> np.ndarray:
    """Return labels (H, W) without the cells of fewer pixels, the others numbered 1, 2, ... in the same order.

    On the CPU it is the same array, which takes no memory.
    """
    if min_area <= 1:
        return labels
    xp, labels = array_module(labels), to_host(labels)
    stays = areas_of(labels) >= min_area
    number = np.concatenate([[0], np.where(stays, np.cumsum(stays), 0)]).astype(labels.dtype)
    for rows in strips(labels):
        labels[rows] = number[labels[rows]]
    return xp.asarray(labels)


def classes_of(probabilities: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return the class of each pixel, uint8 (H, W); arguments and errors as for `label_cells`.

    It is the most probable class, where the probability of background counts threshold / (1 - threshold) times. So of
    two classes it is cell where the probability of cell is above the threshold.
    """
    p = _checked(probabilities)
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold must be from 0 to 1, got {shown(threshold)}; 0.5 is usual")
    xp = array_module(p)
    if p.ndim == 2:
        return (p > threshold).astype(xp.uint8)
    factors = xp.full((len(p), 1), 1.0 - threshold)
    factors[0] = threshold
    classes = xp.empty(p.shape[1:], xp.uint8)
    for row in range(p.shape[1]):  # one row at a time: argmax takes 8 bytes for each pixel
        classes[row] = (p[:, row] * factors).argmax(axis=0)
    return classes


def label_classes(
    classes: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5, split: float = SPLIT
) -> np.ndarray:
    """Return what `label_cells` does, of the classes (H, W) that `classes_of` gave for the other arguments."""
    check_split(split)
    p = as_array(probabilities, "probabilities")
    p = p if p.ndim == 2 else p[1] if len(p) == 2 else 1 - p[0]
    labels = split_touching(classes == 1, p, threshold, split)
    for number in range(2, int(classes.max()) + 1):
        count = labels.max()
        others = split_touching(classes == number, p, threshold, split)
        labels += others + count * (others > 0)
    return labels


def cells_of_any_class(classes: np.ndarray, probabilities: np.ndarray, threshold: float, split: float) -> np.ndarray:
    """Return what `label_classes` does, but cells of different classes that touch may be one: those to measure."""
    return split_touching(classes > 0, 1 - probabilities[0], threshold, split)


def measure_cells(
    labels: np.ndarray, image: np.ndarray | None = None, classes: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return a table of the cells, a column for each property and a row for each cell, by their numbers.

    The columns have the names and the meaning of scikit-image's `regionprops_table`: label; area in pixels; the
    centroid, centroid-0 from the top and centroid-1 from the left; intensity_mean, the mean grey value (of several
    channels intensity_mean-0, ...); and the bounding box from row bbox-0 and column bbox-1 to just before row bbox-2
    and column bbox-3.

    Parameters
    ----------
    labels : integer array, (H, W)
        One number per cell, as from `label_cells`.
    image : array, (H, W) or (C, H, W), optional
        Where it is left out, so is intensity_mean.
    classes : integer array, (H, W), optional
        The class of each pixel, the same all over a cell. It adds the column class.

    Raises
    ------
    InputError
        If the shapes differ, or the labels are no such numbers.
    """
    labels, planes, classes = _checked_table(labels, image, classes)
    sums = _sums(labels, planes if classes is None else [*planes, classes])
    numbers = np.flatnonzero(sums[0][1:]) + 1
    area, row, column, *grey = (one[numbers] for one in sums)
    table = {"label": numbers}
    if classes is not None:
        table["class"] = np.round(grey.pop() / area).astype(np.int64)
    table |= {"area": area.astype(np.int64), "centroid-0": row / area, "centroid-1": column / area}
    names = ["intensity_mean"] if len(grey) == 1 else [f"intensity_mean-{c}" for c in range(len(grey))]
    table |= {name: total / area for name, total in zip(names, grey, strict=True)}
    boxes = [box for box in scipy.ndimage.find_objects(labels) if box is not None]
    corners = [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in boxes]
    bounds = np.array(corners, np.int64).reshape(-1, 4)
    return table | {f"bbox-{i}": bounds[:, i] for i in range(4)}


def _sums(labels: np.ndarray, planes: list[np.ndarray]) -> list[np.ndarray]:
    """Return for each number 0, 1, ...: its pixels, the sums of their rows and columns, and of each plane's values."""
    sums = [np.zeros(int(labels.max()) + 1) for _ in range(3 + len(planes))]
    for rows in strips(labels):
        strip = labels[rows]
        row, column = np.indices(strip.shape)
        weights = [None, row + rows.start, column, *(plane[rows] for plane in planes)]
        for total, weight in zip(sums, weights, strict=True):
            total += np.bincount(strip.ravel(), None if weight is None else weight.ravel(), len(total))
    return sums


def _checked(probabilities: np.ndarray) -> np.ndarray:
    p = as_array(probabilities, "probabilities")
    if p.ndim not in (2, 3) or 0 in p.shape or (p.ndim == 3 and not 2 <= len(p) <= 256):
        raise InputError(
            f"probabilities must be (H, W), of cell, or (K, H, W), of each class, got shape {p.shape}; predict returns "
            "such arrays"
        )
    check_finite(p, "probabilities")
    low, high = float(p.min()), float(p.max())
    if low < -0.001 or high > 1.001:  # they may be rounded
        raise InputError(
            f"probabilities must be from 0 to 1, got {low:.4g} to {high:.4g}; divide those of an 8-bit picture by 255"
        )
    return p


def _checked_table(labels, image, classes) -> tuple[np.ndarray, list[np.ndarray], np.ndarray | None]:
    """Return labels, planes and classes on the host, checked against each other."""
    labels = as_array(labels, "labels", "iu")
    if labels.ndim != 2 or 0 in labels.shape:
        raise InputError(f"labels must be an image (H, W), got shape {labels.shape}; label_cells returns one")
    if labels.min() < 0 or labels.max() > labels.size:
        raise InputError(
            f"labels must number the cells 1, 2, ... in {labels.size} pixels, got {labels.min()} to {labels.max()}; "
            "number them anew"
        )
    others = {"image": image, "classes": classes}
    arrays = {name: as_array(x, name) for name, x in others.items() if x is not None}
    check_same_device(labels=labels, **arrays)
    for name, array in arrays.items():
        if array.shape[-2:] != labels.shape or array.ndim > (3 if name == "image" else 2):
            raise InputError(
                f"{name} must have the size of the labels, {labels.shape}, got shape {array.shape}; take both of one "
                "image"
            )
        check_finite(array, name)
    arrays = {name: to_host(array) for name, array in arrays.items()}
    planes = arrays.get("image", np.empty((0, *labels.shape)))
    planes = planes.astype(np.float64) if planes.dtype == np.longdouble else planes  # np.bincount takes no more
    labels = to_host(labels)
    labels = labels if labels.dtype == np.int32 else labels.astype(np.int64)
    return labels, list(planes.reshape(-1, *labels.shape)), arrays.get("classes")
