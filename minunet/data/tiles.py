"""Windows of an image that is mirrored beyond its edges, and random tiles to train on."""

import numpy as np

from minunet.backend import array_module
from minunet.errors import InputError


def cut(image: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return a window of the image, which is mirrored beyond its edges again and again.

    However far outside the image the window lies, no larger array is built, and one slice of the image is read.

    Parameters
    ----------
    image : array, (..., H, W), or a file that can be sliced like one
    top, left : int
        The window's first pixel; may be negative, or beyond the image.

    Returns
    -------
    window : array, (..., height, width)
    """
    rows = mirrored_indices(top, height, image.shape[-2])
    columns = mirrored_indices(left, width, image.shape[-1])
    top, left = rows.min(), columns.min()
    part = image[..., top : rows.max() + 1, left : columns.max() + 1]
    xp = array_module(image)
    return part[..., xp.asarray(rows[:, None] - top), xp.asarray(columns - left)]


def mirrored_indices(start: int, length: int, size: int) -> np.ndarray:
    """Return `length` indices from `start` on, folded into 0..size-1: for size 4, ... 2 1 0 1 2 3 2 1 0 1 ..."""
    period = max(1, 2 * (size - 1))  # the edge pixel is not repeated; a single pixel mirrors itself
    index = np.arange(start, start + length) % period
    return np.minimum(index, period - index) if size > 1 else index


def mirror_pad(array: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Return the array (..., H, W) with mirrored margins on its last two axes; a margin may exceed the array."""
    H, W = array.shape[-2:]
    return cut(array, -top, -left, top + H + bottom, left + W + right)


def random_tile(
    image: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    rng: np.random.Generator,
    tile: tuple[int, int],
    output: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return a random tile to train on: the network's input, and the labels and weights of its middle.

    The output window lies anywhere in the image, or contains the image if that is smaller. The tile is larger than the
    output window by the border that the network loses; outside the image it is mirrored. Then all three are turned and
    flipped in the same way: by one of the eight symmetries of a square, or of the four of a rectangle.

    Parameters
    ----------
    image : array, (C, H, W)
    labels : array, (H, W)
    weights : array, (H, W), or None
    tile, output : (height, width)
        Input and output size of the network.

    Returns
    -------
    x : array, (C, *tile)
    labels : array, output
    weights : array, output, or None
    """
    margin = margins(tile, output)
    top, left = (random_start(rng, size, length) for size, length in zip(labels.shape, output, strict=True))
    x = cut(image, top - margin[0], left - margin[1], *tile)  # (C, *tile)
    symmetry = _random_symmetry(rng, is_square=tile[0] == tile[1] and output[0] == output[1])
    labels = symmetry(cut(labels, top, left, *output))
    if weights is not None:
        weights = symmetry(cut(weights, top, left, *output))
    return symmetry(x), labels, weights


def margins(tile: tuple[int, int], output: tuple[int, int]) -> list[int]:
    """Return how many pixels the tile extends beyond the output on either side, along each axis."""
    lost = [outer - inner for outer, inner in zip(tile, output, strict=True)]
    if min(lost) < 0 or any(n % 2 for n in lost):
        raise InputError(
            f"expected a tile larger than the output by an even number, got tile {tuple(tile)} and output "
            f"{tuple(output)}; use output_size(tile, depth) for the output"
        )
    return [n // 2 for n in lost]


def random_start(rng: np.random.Generator, size: int, length: int) -> int:
    """Return where a window of this length starts, so that it is inside the image, or contains it if it is longer."""
    room = size - length
    return int(rng.integers(min(0, room), max(0, room) + 1))


def _random_symmetry(rng: np.random.Generator, is_square: bool):
    """Return a function that turns and flips the last two axes of an array."""
    turns = int(rng.integers(4)) if is_square else 2 * int(rng.integers(2))
    flips = bool(rng.integers(2))

    def symmetry(array):
        xp = array_module(array)
        turned = xp.rot90(array, turns, axes=(-2, -1))
        return xp.ascontiguousarray(turned[..., ::-1] if flips else turned)

    return symmetry
