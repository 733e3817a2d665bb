"""Images and labels that the caller holds as arrays, checked and made a data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import Array, check_has_no_mask, is_whole_number, to_host
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

MANY = 5  # labels above 0: with fewer, cells that are numbered cannot be told from classes
SHARE = 0.9  # of the numbered cells are one connected region each; some are cut in two, by the border or another cell
TOUCHING = np.ones((3, 3), int)  # pixels that touch at a corner are connected, too


def dataset_of_arrays(images: Sequence[Array], labels: Sequence[Array], num_classes: int | None = None) -> Dataset:
    """Return the arrays as a data set, without held-out images; `num_classes` None: as many as the labels hold.

    Raises
    ------
    InputError
        If images and labels do not fit each other, or the labels are no classes.
    """
    images, labels = _as_list("images", images), _as_list("labels", labels)
    if len(images) != len(labels) or len(images) == 0:
        raise InputError(
            f"expected as many label images as images, at least one, got {len(images)} images and {len(labels)} labels"
        )
    samples = [_sample(i, *pair) for i, pair in enumerate(zip(images, labels, strict=True))]
    channels = [len(sample.image) for sample in samples]
    if len(set(channels)) > 1:
        raise InputError(f"expected images with the same number of channels, got {channels}; train on one kind at once")
    if num_classes is None:
        num_classes = _count_classes(samples)
    else:
        _check_classes(samples, num_classes)
    return Dataset("arrays", samples, [], num_classes)


def _as_list(name: str, arrays: Any) -> list:
    """Return a list or a tuple of arrays, or the images of one array (N, ..., H, W), as a list."""
    if isinstance(arrays, (list, tuple)):
        return list(arrays)
    ndim = getattr(arrays, "ndim", 0)
    if ndim >= 3:
        return list(arrays)
    if ndim == 2:
        raise InputError(f"{name} must be a list of arrays, got one array {tuple(arrays.shape)}; write [{name}]")
    kind = type(arrays).__name__
    remedy = f"write list({name})" if hasattr(arrays, "__next__") else "put the arrays into a list"
    raise InputError(f"{name} must be a list of arrays, one for each image, got a {kind}; {remedy}")


def _sample(number: int, image: Array, labels: Array) -> Sample:
    name, image, labels = f"image {number}", _as_array(image), _as_array(labels)
    image = image[None] if image.ndim == 2 else image
    if image.ndim != 3 or image.dtype.kind not in "biuf" or image.size == 0:
        raise InputError(
            f"{name}: expected numbers (H, W) or (C, H, W), got {image.dtype} {image.shape}; minunet.read_image reads "
            "such an array from a file"
        )
    if not np.isfinite(image).all():
        raise InputError(f"{name}: expected finite grey values, got NaN or infinity; numpy.nan_to_num replaces them")
    if labels.shape != image.shape[1:]:
        is_last = labels.shape == image.shape[:2]
        remedy = "image.transpose(2, 0, 1) puts the channels first" if is_last else "each pixel needs one label"
        raise InputError(
            f"{name}: expected labels {image.shape[1:]} like the image (C, H, W) = {image.shape}, got {labels.shape}; "
            + remedy
        )
    if labels.dtype.kind not in "biu" or labels.min() < 0 or labels.max() > 255:
        span = f" from {labels.min()} to {labels.max()}" if labels.dtype.kind in "biuf" else ""
        raise InputError(
            f"{name}: expected labels of whole numbers from 0 to 255, the class of each pixel, got {labels.dtype}{span}"
            "; for two classes, background and cell, take labels > 0"
        )
    return Sample(name, image.astype(np.float32), labels.astype(np.uint8), None)


def _as_array(x: Any) -> np.ndarray:
    """Return an array on the host; one of Python objects if `x` holds no numbers, or rows of unequal length."""
    check_has_no_mask(x, "image and labels")
    try:
        return np.asarray(to_host(x))
    except ValueError:
        return np.asarray(x, dtype=object)
    except Exception:  # whatever the class of x raises
        return np.array(None, dtype=object)


def _count_classes(samples: list[Sample]) -> int:
    """Return the number of classes; raise InputError if one is missing, as in a mask of 0 and 255, or all are cells."""
    classes = np.unique(np.concatenate([np.unique(sample.labels) for sample in samples]))
    if len(classes) > 1 and not np.array_equal(classes, np.arange(len(classes))):
        raise InputError(
            f"expected labels 0, 1, 2 ..., each of which occurs, got {', '.join(map(str, classes))}; for two classes, "
            "background and cell, take labels > 0; for more, of which some do not occur, give num_classes"
        )
    if len(classes) > MANY and _are_numbered_cells(samples):
        raise InputError(
            f"expected the class of each pixel, got labels 0 to {classes[-1]}, nearly all of them one connected region "
            "per image: cells that are numbered one by one? For two classes, background and cell, take labels > 0; if "
            f"they are {len(classes)} classes, say num_classes={len(classes)}"
        )
    return len(classes)


def _are_numbered_cells(samples: list[Sample]) -> bool:
    """Tell whether nearly every label is one connected region in each image, as a numbered cell is."""
    regions = []
    for sample in samples:
        for label, box in enumerate(scipy.ndimage.find_objects(sample.labels), start=1):
            if box is not None:
                regions.append(scipy.ndimage.label(sample.labels[box] == label, TOUCHING)[1])
    return regions.count(1) >= SHARE * len(regions)


def _check_classes(samples: list[Sample], num_classes: Any) -> None:
    if not is_whole_number(num_classes) or not 2 <= num_classes <= 256:
        raise InputError(
            f"num_classes must be a whole number from 2 to 256, background included, got {num_classes!r}; leave it out "
            "to count them"
        )
    largest = max(int(sample.labels.max()) for sample in samples)
    if largest >= num_classes:
        raise InputError(
            f"labels must be from 0 to {num_classes - 1} for num_classes={num_classes}, got {largest}; "
            "relabel them, or give another num_classes"
        )
