"""What every reader returns: a data set, which is a list of samples, each an image with its labels."""

from typing import Any, NamedTuple

import numpy as np

from minunet.errors import InputError

LONGEST_NAME = 28  # characters, in a table or under a picture


class Sample(NamedTuple):
    """One image and what is known about it."""

    name: str
    image: np.ndarray  # (C, H, W) float32, the raw grey values
    labels: np.ndarray  # (H, W) uint8, the class of each pixel: 0 background or membrane, 1 cell; or more classes
    instances: np.ndarray | None  # (H, W) int32, one number per cell, 0 for background
    known: np.ndarray | None = None  # (H, W) bool, False where the truth is not known; None: known everywhere
    uncut: np.ndarray | None = (
        None  # (H, W) int32, the instances before touching cells were cut apart; SEG goes by them
    )


class Dataset(NamedTuple):
    """Samples to train on, and samples held out."""

    name: str
    train: list[Sample]
    validation: list[Sample]
    num_classes: int
    note: str = ""  # one line for the user about what the reader changed in the images
    classes: str | None = None  # the values in the masks that are class 0, 1, ..., such as "0,128,255"
    void: str | None = None  # those that are of no class, such as "255"


def check_samples(samples: Any) -> list[Sample]:
    """Return samples as a list; raise InputError for anything else."""
    if not isinstance(samples, (list, tuple)) or not all(hasattr(sample, "instances") for sample in samples):
        raise InputError(
            f"samples must be a list of Sample, got a {type(samples).__name__}; minunet.data.load_data reads such lists"
        )
    return list(samples)


def check_classes(dataset: Dataset) -> None:
    """Raise InputError if the training labels hold one class only, from which a network learns nothing."""
    if not hasattr(dataset, "train"):
        raise InputError(f"dataset must be a Dataset, got a {type(dataset).__name__}; minunet.data.load_data reads one")
    classes = _classes_in(dataset.train)
    if len(classes) < 2:
        found = {0: "background", 1: "cell"}.get(classes.pop(), "one class")
        raise InputError(f"expected cells and background in the training labels, got only {found}; check the masks")


def absent_classes(dataset: Dataset) -> list[int]:
    """Return the classes that held-out images have and no training image: a network cannot learn them.

    Of two classes `check_classes` has found both.
    """
    return [] if dataset.num_classes == 2 else sorted(_classes_in(dataset.validation) - _classes_in(dataset.train))


def _classes_in(samples: list[Sample]) -> set[int]:
    labels = (s.labels if s.known is None else s.labels[s.known] for s in samples)
    return {int(label) for known in labels for label in np.unique(known)}


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """Return the name; one longer than `longest` characters is cut off and ends in three dots."""
    return name if len(name) <= longest else name[: longest - 3] + "..."
