"""What an image looks like, in seven numbers: a network is used to images like those that it was trained on.

    brightness   mean of the normalised grey values; only where one normalisation holds for all images
    contrast     base-2 logarithm of their standard deviation: 1 more is twice the contrast; likewise
    median       where the median lies between the darkest and the brightest grey value: near 0 in a mostly dark image
    spread       the middle half of the grey values, as a share of that range
    detail       share of the variance that is lost when blocks of 4x4 pixels are averaged: noise and small structures
    size         share of the variance that is left when blocks of 16x16 pixels are averaged: large structures
    colour       mean distance between the brightest and the darkest channel, as a share of the range

Training keeps the numbers of its images. An image is foreign to the network if no training image is like it: compared
with each of them, some number differs by more than a margin. With few training images the margins are wider,

    MARGIN * (1 + 8 / images)

`benchmarks/foreign_images.py` shows how often that is right. An image that is not called foreign may be so all the
same: seven numbers know no shapes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minunet.data.normalisation import Normalisation, normalise
from minunet.data.sample import Sample
from minunet.errors import InputError, shown

MARGIN = {"brightness": 2.0, "contrast": 1.5, **dict.fromkeys(("median", "spread", "detail", "size", "colour"), 0.12)}
FEW = 8  # of so many images the margins are doubled
MOST = 500  # training images of which the numbers are kept
WORDS = {  # what is said of an image with less, and of one with more
    "brightness": ("darker", "brighter"),
    "contrast": ("of less contrast", "of more contrast"),
    "median": ("more of it dark", "more of it bright"),
    "spread": ("fewer middle grey values", "more middle grey values"),
    "detail": ("less fine detail or noise", "more fine detail or noise"),
    "size": ("smaller structures", "larger structures"),
    "colour": ("less colourful", "more colourful"),
}
LARGEST = 1e6
QUANTILES = 0.001, 0.25, 0.5, 0.75, 0.999
BAND = 16  # rows
ENOUGH = 2**21  # pixels: of a larger image some bands are looked at


def image_statistics(image: np.ndarray, normalisation: Normalisation) -> dict[str, float]:
    """Return the numbers above, for an image (C, H, W) as it comes from a file."""
    planes = _bands(image)
    found = {}
    if normalisation.scope == "dataset":
        normalised = normalise(planes, normalisation)
        contrast = max(float(normalised.mean(axis=0).std()), 1e-6)
        found = {"brightness": float(normalised.mean()), "contrast": np.log2(contrast)}
    grey = planes.mean(axis=0, dtype=np.float64)  # (H, W)
    darkest, low, median, high, brightest = np.quantile(grey, QUANTILES)
    width = max(brightest - darkest, 1e-9)
    found |= {"median": (median - darkest) / width, "spread": (high - low) / width}
    found |= {"detail": 1 - _variance_left(grey, 4), "size": _variance_left(grey, 16)}
    found["colour"] = np.ptp(planes, axis=0).mean() / width
    return {name: float(np.clip(value, -LARGEST, LARGEST)) for name, value in found.items()}


def statistics_of_training(samples: Sequence[Sample], normalisation: Normalisation) -> dict[str, list[float]]:
    """Return {name: that number of each image}; of more than MOST images, of some that are evenly spread."""
    step = -(-len(samples) // MOST)
    return as_columns([image_statistics(sample.image, normalisation) for sample in samples[::step]])


def as_columns(rows: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Return the numbers of several images, as from `image_statistics`, as {name: that number of each image}."""
    return {name: [round(row[name], 4) for row in rows] for name in rows[0]}


def what_is_foreign(
    image: np.ndarray, normalisation: Normalisation, statistics: dict[str, list[float]] | None
) -> list[str]:
    """Return in words what sets an image apart from the training image most like it; [] if nothing does.

    Parameters
    ----------
    image : array, (C, H, W)
        As it comes from a file.
    normalisation : Normalisation
    statistics : as from `statistics_of_training`
        None, as of networks that minunet 0.2 has trained, tells nothing.
    """
    return [] if statistics is None else differences(image_statistics(image, normalisation), statistics)


def differences(row: dict[str, float], statistics: dict[str, list[float]]) -> list[str]:
    """Return the same for an image of which the numbers are known, as from `image_statistics`."""
    names = [name for name in row if name in statistics]
    known = np.array([statistics[name] for name in names]).T  # (images, numbers)
    margins = np.array([MARGIN[name] for name in names]) * (1 + FEW / len(known))
    apart = np.abs(known - [row[name] for name in names]) / margins
    nearest = apart.max(axis=1).argmin()
    order = [i for i in np.argsort(-apart[nearest]) if apart[nearest, i] > 1]  # the largest difference first
    return [_in_words(names[i], row[names[i]], float(known[nearest, i])) for i in order]


def _in_words(name: str, value: float, trained: float) -> str:
    words = WORDS[name][int(value > trained)]
    return f"{words} ({name} {value:.2f}, and {trained:.2f} in the training image most like it)"


def check_statistics(statistics: Any) -> None:
    """Raise InputError unless these are statistics as from `statistics_of_training`, or None."""
    if statistics is None:
        return
    if not isinstance(statistics, dict) or not statistics:
        raise InputError(f"statistics must be a dict of columns, got {shown(statistics)}; train again")
    length = len(column) if isinstance(column := next(iter(statistics.values())), list) else 0
    for name, column in statistics.items():
        if name not in MARGIN or not _is_column(column, length):
            raise InputError(
                f"statistics must have the numbers of each training image for some of {', '.join(MARGIN)}, got "
                f"{shown(name)}: {shown(column)}; train again"
            )


def _is_column(column: Any, length: int) -> bool:
    if not isinstance(column, list) or not len(column) == length > 0:
        return False
    return all(type(value) in (int, float) and -LARGEST <= value <= LARGEST for value in column)  # NaN is not


def _bands(image: np.ndarray) -> np.ndarray:
    """Return an image (C, H, W), or of a large one some bands of rows, evenly spread."""
    C, H, W = image.shape
    step = -(-H * W // ENOUGH)
    if step == 1 or H < 2 * BAND:
        return image
    bands = image[:, : H // BAND * BAND].reshape(C, -1, BAND, W)[:, ::step]
    return bands.reshape(C, -1, W)


def _variance_left(grey: np.ndarray, side: int) -> float:
    """Return the share of the variance that is left when blocks (side, side) are averaged.

    Rows and columns that fill no block are left out.
    """
    rows, columns = (min(side, length) for length in grey.shape)
    H, W = grey.shape[0] // rows, grey.shape[1] // columns
    blocks = grey[: H * rows, : W * columns].reshape(H, rows, W, columns)
    return blocks.mean(axis=(1, 3)).var() / max(blocks.var(), 1e-18)
