"""What an image looks like, in seven numbers: a network is used to images like those that it was trained on.

    brightness   mean of the normalised grey values; only where one normalisation holds for all images
    contrast     their standard deviation; likewise
    median       where the median lies between the darkest and the brightest grey value: near 0 in a mostly dark image
    spread       the middle half of the grey values, as a share of that range
    detail       share of the variance that is lost when blocks of 4x4 pixels are averaged: noise and small structures
    size         share of the variance that is left when blocks of 16x16 pixels are averaged: large structures
    colour       mean distance between the brightest and the darkest channel, as a share of the range

Training keeps the least and the most of each over its images. They are a sample, so an image is foreign to the network
only if it lies beyond them by more than a margin:

    margin = (1 + 4 / images) * max(least margin, (most - least) / 4)

`benchmarks/foreign_images.py` shows how often that is right. An image within the margins may be foreign all the same:
seven numbers know no shapes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minunet.backend import is_whole_number
from minunet.data.normalisation import Normalisation, normalise
from minunet.data.sample import Sample
from minunet.errors import InputError, shown

SHARE = 0.25  # of the range, and a margin is at least the number here
LEAST_MARGIN = {
    "brightness": 1.0,
    "contrast": 0.5,
    "median": 0.1,
    "spread": 0.1,
    "detail": 0.1,
    "size": 0.1,
    "colour": 0.1,
}
LARGEST = 1e6
FEW = 4  # of so many images the margins are doubled
WORDS = {  # what is said of an image with less, and of one with more
    "brightness": ("darker", "brighter"),
    "contrast": ("of less contrast", "of more contrast"),
    "median": ("more of it dark", "more of it bright"),
    "spread": ("fewer middle grey values", "more middle grey values"),
    "detail": ("less fine detail or noise", "more fine detail or noise"),
    "size": ("smaller structures", "larger structures"),
    "colour": ("less colourful", "more colourful"),
}
QUANTILES = 0.001, 0.25, 0.5, 0.75, 0.999
BAND = 16  # rows
ENOUGH = 2**21  # pixels: of a larger image some bands are looked at


def image_statistics(image: np.ndarray, normalisation: Normalisation) -> dict[str, float]:
    """Return the numbers above, for an image (C, H, W) as it comes from a file."""
    planes = _bands(image)
    found = {}
    if normalisation.scope == "dataset":
        normalised = normalise(planes, normalisation)
        found = {"brightness": float(normalised.mean()), "contrast": float(normalised.mean(axis=0).std())}
    grey = planes.mean(axis=0, dtype=np.float64)  # (H, W)
    darkest, low, median, high, brightest = np.quantile(grey, QUANTILES)
    width = max(brightest - darkest, 1e-9)
    found |= {"median": (median - darkest) / width, "spread": (high - low) / width}
    found |= {"detail": 1 - _variance_left(grey, 4), "size": _variance_left(grey, 16)}
    found["colour"] = np.ptp(planes, axis=0).mean() / width
    return {name: float(np.clip(value, -LARGEST, LARGEST)) for name, value in found.items()}


def statistics_of_training(samples: Sequence[Sample], normalisation: Normalisation) -> dict[str, Any]:
    """Return {name: [least, most]} of each number over the images, and under "images" how many there are."""
    return ranges_of([image_statistics(sample.image, normalisation) for sample in samples])


def ranges_of(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the same for images of which the numbers are known, as from `image_statistics`."""
    ranges = {name: [min(row[name] for row in rows), max(row[name] for row in rows)] for name in rows[0]}
    return {"images": len(rows), **ranges}


def what_is_foreign(image: np.ndarray, normalisation: Normalisation, statistics: dict[str, Any] | None) -> list[str]:
    """Return in words what sets an image apart from the training images, the most foreign first; [] if nothing does.

    Parameters
    ----------
    image : array, (C, H, W)
        As it comes from a file.
    normalisation : Normalisation
    statistics : as from `statistics_of_training`
        None, as of networks that minunet 0.2 has trained, tells nothing.
    """
    return [] if statistics is None else beyond(image_statistics(image, normalisation), statistics)


def beyond(row: dict[str, float], statistics: dict[str, Any]) -> list[str]:
    """Return the same for an image of which the numbers are known, as from `image_statistics`."""
    found = []
    for name, value in row.items():
        if name not in statistics:
            continue
        least, most = statistics[name]
        margin = (1 + FEW / statistics["images"]) * max(LEAST_MARGIN[name], SHARE * (most - least))
        excess = max(least - value, value - most) / margin
        if excess > 1:
            words = WORDS[name][value > most]
            found.append((excess, f"{words} ({name} {value:.2f}, in training {least:.2f} to {most:.2f})"))
    return [words for _, words in sorted(found, reverse=True)]


def check_statistics(statistics: Any) -> None:
    """Raise InputError unless these are statistics as from `statistics_of_training`, or None."""
    if statistics is None:
        return
    if not isinstance(statistics, dict) or not is_whole_number(statistics.get("images")) or statistics["images"] < 1:
        raise InputError(f"statistics must be a dict with the number of images, got {shown(statistics)}; train again")
    for name, span in statistics.items():
        if name != "images" and (name not in WORDS or not _is_range(span)):
            raise InputError(
                f"statistics must have a range [least, most] for any of {', '.join(WORDS)}, got {shown(name)}: "
                f"{shown(span)}; train again"
            )


def _is_range(span: Any) -> bool:
    if not isinstance(span, list) or len(span) != 2 or not all(type(value) in (int, float) for value in span):
        return False
    return bool(-LARGEST <= span[0] <= span[1] <= LARGEST)  # NaN is not <= anything


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
