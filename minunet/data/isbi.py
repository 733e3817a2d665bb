"""The EM segmentation challenge of the paper: a stack of membranes, in the challenge's own files."""

from pathlib import Path

import numpy as np

from minunet.data.image_io import read_stack
from minunet.data.reading import existing_folder
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

LAYOUT = "train-volume.tif and train-labels.tif (0 membrane, 255 cell)"


def read_isbi(directory: str | Path) -> Dataset:
    """Return the training stack of the EM challenge.

    The folder holds train-volume.tif and train-labels.tif, with 0 for membrane and 255 for cell. Slices 25 to 29 of
    the 30 are held out: neighbouring slices look alike, so the held-out ones lie together at the end. Of a stack of
    another length, the last sixth is held out, and at least one slice.
    """
    directory = existing_folder(directory, LAYOUT)
    images, truth = (read_stack(_find(directory, name)) for name in ("train-volume.tif", "train-labels.tif"))
    if images.shape != truth.shape:
        raise InputError(
            f"{directory}: expected both stacks of one shape (pages, H, W), got volume {images.shape} and labels "
            f"{truth.shape}; take both from one data set"
        )
    if len(images) < 2:
        raise InputError(f"{directory}: expected at least 2 slices, got 1; one is held out, the others are trained on")
    labels = _cells(truth, directory / "train-labels.tif")
    samples = [
        Sample(f"slice-{i:02d}", image[None].astype(np.float32), label, None)  # image (1, H, W)
        for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    held_out = max(1, len(samples) // 6)
    return Dataset("isbi", samples[:-held_out], samples[-held_out:], num_classes=2)


def _find(directory: Path, name: str) -> Path:
    if not (directory / name).is_file():
        raise InputError(f"{directory}: expected {LAYOUT}, found no {name}; put it there, or check the path")
    return directory / name


def _cells(truth: np.ndarray, path: Path) -> np.ndarray:
    """Return 1 where the label is the larger of the two values, uint8, in the shape of `truth`."""
    values = np.unique(truth)
    if len(values) != 2:
        shown = ", ".join(str(value) for value in values[:5]) + (", ..." if len(values) > 5 else "")
        raise InputError(f"{path}: expected two values, 0 membrane and 255 cell, got {shown}; threshold the labels")
    return (truth == values[1]).astype(np.uint8)
