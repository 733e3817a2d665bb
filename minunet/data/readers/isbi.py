"""The EM segmentation challenge of the paper: a stack of slices, cells and membranes, in the challenge's own files."""

from pathlib import Path

import numpy as np

from minunet.data.readers.hold_out import held_out_names, split
from minunet.data.readers.image_files import read_stack
from minunet.data.readers.isbi_registration import label_offset, moved
from minunet.data.readers.shared import existing_folder
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

LAYOUT = "train-volume.tif and train-labels.tif (0 membrane, 255 cell)"


def read_isbi(directory: str | Path, hold_out: str | float | None = None, invert: bool = False) -> Dataset:
    """Return the training stack of the EM challenge.

    The folder holds train-volume.tif and train-labels.tif, with 0 for membrane and 255 for cell. Slices 25 to 29 of
    the 30 are held out: neighbouring slices look alike, so the held-out ones lie together at the end. Of a stack of
    another length, the last sixth is held out, and at least one slice; or what `hold_out` says: see `hold_out.py`.
    With `invert`, the membranes are the object, class 1.

    The labels of this challenge lie half a pixel beside the membranes, all in the same direction. So all images, the
    held-out ones too, are moved by the offset of the training slices; the labels stay as they are. The `note` of the
    data set says how far; see `isbi_registration.py`. If nothing has to be moved, the grey values are those of the
    file.

    A network trained on them finds membranes where an image has them. On an image that nobody has moved, that is half
    a pixel beside the labels that these annotators would have drawn.
    """
    directory = existing_folder(directory, LAYOUT)
    images, truth = (read_stack(_find(directory, name)) for name in ("train-volume.tif", "train-labels.tif"))
    if images.shape != truth.shape:
        raise InputError(
            f"{directory}: expected both stacks of one shape (pages, H, W), got volume {images.shape} and labels "
            f"{truth.shape}; take both from one data set"
        )
    images, labels = images.astype(np.float32), _cells(truth, directory / "train-labels.tif")
    names = [f"slice-{i:02d}" for i in range(len(images))]
    held_out = held_out_names("isbi", names, 6, hold_out)
    trained = [i for i, name in enumerate(names) if name not in held_out]
    offset = label_offset(images[trained], labels[trained])
    if invert:
        labels = 1 - labels
    samples = [
        Sample(name, moved(image, offset)[None], label, None)  # image (1, H, W)
        for name, image, label in zip(names, images, labels, strict=True)
    ]
    return split("isbi", samples, 6, hold_out, note=_note(offset))


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


def _note(offset: tuple[float, float]) -> str:
    dy, dx = offset
    if not (dy or dx):
        return ""
    return (
        f"the labels lie {abs(dy):.2f} px {'below' if dy > 0 else 'above'} and {abs(dx):.2f} px "
        f"{'right' if dx > 0 else 'left'} of what they outline: the images are moved to match them"
    )
