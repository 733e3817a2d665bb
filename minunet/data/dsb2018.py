"""Nuclei of the Data Science Bowl 2018 (BBBC038): a folder an image, with one mask file a nucleus."""

from pathlib import Path

import numpy as np

from minunet.data.image_io import read_image, read_labels
from minunet.data.sample import Dataset, Sample
from minunet.data.weight_map import separate_touching
from minunet.errors import InputError

LAYOUT = "folders ID with images/ID.png and masks/*.png, one a nucleus"
OVERLAP = 0.1  # of a nucleus: drawn by hand, two masks may share a pixel or two, but no more


def read_dsb2018(directory: str | Path) -> Dataset:
    """Return the images of stage1_train with their nuclei.

    DIR is stage1_train itself, or the folder that holds it. Pixels that two masks share become background, and so does
    a line between nuclei that touch. Of the sorted images the last quarter is held out, and at least one.

    Raises
    ------
    InputError
        If the folder is of another layout, a file cannot be read, sizes differ, or two masks overlap by more than a
        tenth of the smaller one.
    """
    directory = Path(directory)
    if (directory / "stage1_train").is_dir():
        directory = directory / "stage1_train"
    if not directory.is_dir():
        raise InputError(f"expected {LAYOUT}, found no folder {directory}; check the path")
    folders = sorted(path for path in directory.iterdir() if (path / "images").is_dir())
    if len(folders) < 2:
        raise InputError(f"{directory}: expected at least 2 {LAYOUT}, found {len(folders)}; check the path")
    samples = [_sample(folder) for folder in folders]
    held_out = max(1, len(samples) // 4)
    return Dataset("dsb2018", samples[:-held_out], samples[-held_out:], num_classes=2)


def _sample(folder: Path) -> Sample:
    images, masks = (sorted(path for path in (folder / kind).glob("*.png")) for kind in ("images", "masks"))
    if len(images) != 1 or not masks:
        raise InputError(f"{folder}: expected one image and its masks, found {len(images)} and {len(masks)}; add them")
    image = read_image(images[0])  # (C, H, W)
    instances = separate_touching(_instances(masks, image.shape[1:]))
    return Sample(folder.name, image, (instances > 0).astype(np.uint8), instances)


def _instances(masks: list[Path], size: tuple[int, int]) -> np.ndarray:
    """Return the nuclei 1, 2, ... in the order of the files, int32, (H, W)."""
    instances, shared = np.zeros(size, np.int32), np.zeros(size, bool)
    areas = [0]
    for number, path in enumerate(masks, start=1):
        nucleus = read_labels(path) > 0
        if nucleus.shape != size:
            raise InputError(
                f"{path}: expected a mask of {size[0]}x{size[1]} like its image, got "
                f"{nucleus.shape[0]}x{nucleus.shape[1]}; redo the mask at the size of the image"
            )
        areas.append(np.count_nonzero(nucleus))
        others, common = np.unique(instances[nucleus & (instances > 0)], return_counts=True)
        for other, pixels in zip(others, common, strict=True):
            if pixels > OVERLAP * min(areas[other], areas[number]):
                raise InputError(
                    f"{path}: expected masks that do not overlap, got {pixels} pixels that are also in "
                    f"{masks[other - 1].name}; take them out of one"
                )
        shared |= nucleus & (instances > 0)
        instances[nucleus] = number
    instances[shared] = 0
    return instances
