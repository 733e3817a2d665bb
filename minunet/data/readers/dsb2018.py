"""Nuclei in the layout of the Data Science Bowl 2018 (BBBC038): one folder per image, one mask per nucleus.

ID/images/ID.png    the image
ID/masks/*.png      one nucleus per file: 0 outside, another value inside
"""

from pathlib import Path

import numpy as np

from minunet.data.readers.hold_out import split
from minunet.data.readers.image_files import read_image, read_labels
from minunet.data.readers.shared import existing_folder, separated, visible_files
from minunet.data.readers.turned import check_size
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

LAYOUT = "ID/images/ID.png and ID/masks/*.png for each image"
TOLERANCE = 0.05  # two masks may share at most this part of the smaller nucleus


def read_dsb2018(directory: str | Path, hold_out: str | float | None = None) -> Dataset:
    """Return the images with their nuclei, by sorted ID.

    `directory` holds the folders of the images, or a folder stage1_train that holds them. Nuclei that touch are
    separated by a line of background, and so are nuclei that overlap by a few pixels, which happens in the public data.
    An empty mask counts as no nucleus. The last quarter of the images is held out, and at least one, or what `hold_out`
    says: see `hold_out.py`.

    Raises
    ------
    InputError
        If there are fewer than two images; if an image lacks its masks, or a mask has another size than the image;
        if two masks share more than TOLERANCE of the smaller one.
    """
    directory = existing_folder(directory, LAYOUT)
    if (directory / "stage1_train").is_dir():
        directory = directory / "stage1_train"
    folders = sorted(child for child in directory.iterdir() if (child / "images").is_dir())
    if not folders:
        raise InputError(f"{directory}: expected {LAYOUT}, found no folder with images in it; check the path")
    return split("dsb2018", [_sample(folder) for folder in folders], 4, hold_out)


def _sample(folder: Path) -> Sample:
    path = folder / "images" / f"{folder.name}.png"
    image = read_image(path)
    masks = folder / "masks"
    paths = [path for path in visible_files(masks) if path.suffix == ".png"] if masks.is_dir() else []
    if not paths:
        raise InputError(
            f"{folder}: expected masks/*.png, one per nucleus, found none; add them (the test data have none), "
            "or remove the folder"
        )
    uncut = _nuclei(paths, path, image.shape[1:])
    nuclei = separated(uncut, masks)
    return Sample(folder.name, image, (nuclei > 0).astype(np.uint8), nuclei, uncut=uncut)


def _nuclei(paths: list[Path], image: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return the nuclei of the mask files, numbered from 1, int32, (H, W); 0 where two of them overlap."""
    nuclei, is_shared = np.zeros(shape, np.int32), np.zeros(shape, bool)
    areas = [0]
    for number, path in enumerate(paths, start=1):
        mask = read_labels(path) != 0
        if number == 1 or mask.shape != shape:
            check_size(str(path), image, shape, path, mask.shape)
        areas.append(int(np.count_nonzero(mask)))
        shared = mask & (nuclei > 0)
        for other, overlap in zip(*np.unique(nuclei[shared], return_counts=True), strict=True):
            if overlap > TOLERANCE * min(areas[number], areas[other]):
                raise InputError(
                    f"{path.parent}: expected masks that do not overlap, got {overlap} pixels in both "
                    f"{paths[other - 1].name} ({areas[other]} pixels) and {path.name} ({areas[number]}); "
                    "remove one of them, or the pixels from one"
                )
        is_shared |= shared
        nuclei[mask] = number
    return np.where(is_shared, 0, nuclei)
