"""What `minunet predict` writes for an image.

| kind | file | |
|---|---|---|
| probability | NAME_probability.png | the probability of cell, 0 to 255 |
| classes | NAME_classes.png | the class of each pixel, spread from 0 to 255 |
| cells | NAME_cells.tif | one number per cell, 0 for background; 16 bits, or 32 if there are more than 65,535 cells |
| overlay | NAME_overlay.png | the image with the outline of each cell |
| table | NAME_cells.csv | a row for each cell |
| tiff, npy | NAME_probabilities.tif, .npy | the probability of each class, float32 (K, H, W); only if asked for |
"""

import csv
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.metrics.cells import areas_of, classes_of, label_classes, measure_cells, without_small
from minunet.metrics.touching import SPLIT
from minunet.pictures.overlay import overlay
from minunet.prediction.checks import slices_of_rows

ENDINGS = {
    "probability": "_probability.png",
    "classes": "_classes.png",
    "cells": "_cells.tif",
    "overlay": "_overlay.png",
    "table": "_cells.csv",
    "tiff": "_probabilities.tif",
    "npy": "_probabilities.npy",
}
ALWAYS = tuple(ENDINGS)[:5]
FLOATS = tuple(ENDINGS)[5:]
OF_CELLS = {"cells", "overlay", "table"}
LABELS = 5  # bytes for each pixel: the numbers of the cells, and the classes
BYTES = {"overlay": 7}  # for each pixel, while it is written: three colours, of which Pillow makes four
SPLITTING = 21  # for each pixel, at most, while cells that touch are told apart
OTHERS = 2  # bytes for each pixel: a picture of 8 bits and its compressed form, or 16 bits
LARGEST_IN_16_BITS = 2**16 - 1


def result_paths(folder: Path, name: str, kinds: Collection[str] = ALWAYS) -> dict[str, Path]:
    """Return {kind: the file that is written for an image of this name}."""
    return {kind: folder / f"{name}{ENDINGS[kind]}" for kind in kinds}


def result_bytes(kinds: Collection[str], split: float = SPLIT) -> int:
    """Return how many bytes it takes for each pixel to write these kinds, beside the image and the probabilities."""
    writing = max(BYTES.get(kind, OTHERS) for kind in kinds)
    splitting = SPLITTING if split < 1 else 0
    return LABELS + max(splitting, writing) if OF_CELLS.intersection(kinds) else 1 + writing


def write_results(
    paths: dict[str, Path],
    name: str,
    image: np.ndarray,
    probabilities: np.ndarray,
    threshold: float = 0.5,
    split: float = SPLIT,
    min_area: int = 0,
) -> np.ndarray:
    """Write results, each whole or not at all; return the area of each cell, of none if no cells are asked for.

    Parameters
    ----------
    paths : as from `result_paths`
    name : str
        Of the image, as the table says it.
    image : array, (C, H, W)
    probabilities : array, (K, H, W)
    threshold : float
        A pixel is cell where the probability of cell is above it.
    split : float
        By how much it falls between two cells that touch; see `label_cells`.
    min_area : int
        Cells of fewer pixels are left out.

    Raises
    ------
    InputError
        If one of the files is there already.
    """
    for path in paths.values():
        if path.exists():
            raise InputError(f"results must not be replaced, but {path} is there already; choose another --out")
    if "probability" in paths:
        _write_png(paths["probability"], _probability_picture(probabilities))
    if "tiff" in paths:
        replace_atomically(paths["tiff"], lambda temporary: _write_tiff(temporary, probabilities))
    if "npy" in paths:
        replace_atomically(paths["npy"], lambda temporary: np.save(temporary, probabilities))
    if not {"classes", *OF_CELLS} & paths.keys():
        return np.empty(0, np.int64)
    classes = classes_of(probabilities, threshold)
    if "classes" in paths:
        _write_png(paths["classes"], _classes_picture(classes, len(probabilities)))
    if not OF_CELLS & paths.keys():
        return np.empty(0, np.int64)
    labels = without_small(label_classes(classes, probabilities, threshold, split), min_area)
    _write_cells(paths, name, image, labels, classes, with_class=len(probabilities) > 2)
    return areas_of(labels)


def _write_cells(paths: dict[str, Path], name: str, image, labels, classes, with_class: bool) -> None:
    """Write the label image, the overlay and the table; the image is (C, H, W), labels and classes are (H, W)."""
    if "cells" in paths:
        bits = np.uint16 if labels.max() <= LARGEST_IN_16_BITS else np.uint32
        replace_atomically(paths["cells"], lambda temporary: _write_tiff(temporary, labels.astype(bits)))
    if "overlay" in paths:
        _write_png(paths["overlay"], overlay(image, labels, classes))
    if "table" in paths:
        table = measure_cells(labels, image, classes if with_class else None)
        replace_atomically(paths["table"], lambda temporary: _write_table(temporary, name, table))


def _probability_picture(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability of any cell as grey values from 0 to 255, uint8 (H, W)."""
    picture = np.empty(probabilities.shape[1:], np.uint8)
    for rows in slices_of_rows(probabilities):
        picture[rows] = np.round(255 * (1 - probabilities[0, rows]))
    return picture


def _classes_picture(classes: np.ndarray, count: int) -> np.ndarray:
    """Return classes 0, 1, ..., count - 1 as grey values from 0 to 255."""
    greys = np.round(np.linspace(0, 255, count)).astype(np.uint8)
    return greys[classes]


def _write_png(path: Path, picture: np.ndarray) -> None:
    replace_atomically(path, Image.fromarray(picture).save)


def _write_tiff(path: Path, array: np.ndarray) -> None:
    """Write (H, W), or (pages, H, W), compressed without loss, as programs for microscopy read it."""
    import tifffile  # at its first use

    tifffile.imwrite(path, array, photometric="minisblack", compression="zlib", metadata=None)


def _write_table(path: Path, name: str, table: dict[str, np.ndarray]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *table])
        for row in zip(*table.values(), strict=True):
            writer.writerow([name, *(f"{value:.7g}" if isinstance(value, float) else value for value in row)])
