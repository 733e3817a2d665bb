"""Windows of an image that is mirrored beyond its edges, and random tiles to train on."""

import numpy as np

from minunet.backend import (
    array_module,
    as_array,
    check_generator,
    check_whole_number,
    is_whole_number,
)
from minunet.errors import InputError

LARGEST, FARTHEST = 2**24, 2**60  # pixels: sides of a window, and how far away it may lie


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
    _check_window(top, left, height, width)
    if isinstance(image, np.ndarray) or not hasattr(image, "shape"):
        image = as_array(image, "image")
    if len(image.shape) < 2 or 0 in image.shape[-2:]:
        raise InputError(
            f"image must have shape (..., H, W) with pixels, got {image.shape}; there is nothing to mirror"
        )
    top, left, height, width = int(top), int(left), int(height), int(width)  # those of NumPy may overflow
    rows = mirrored_indices(top, height, image.shape[-2])
    columns = mirrored_indices(left, width, image.shape[-1])
    top, left = rows.min(), columns.min()
    part = image[..., top : rows.max() + 1, left : columns.max() + 1]
    xp = array_module(image)
    part = xp.take(part, xp.asarray(columns - left), axis=-1)  # axis by axis, several times as fast as both at once
    return xp.take(part, xp.asarray(rows - top), axis=-2)


def mirrored_indices(start: int, length: int, size: int) -> np.ndarray:
    """Return `length` indices from `start` on, folded into 0..size-1: for size 4, ... 2 1 0 1 2 3 2 1 0 1 ..."""
    period = max(1, 2 * (size - 1))  # the edge pixel is not repeated; a single pixel mirrors itself
    index = np.arange(start, start + length) % period
    return np.minimum(index, period - index) if size > 1 else index


def mirror_pad(array: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Return the array (..., H, W) with mirrored margins on its last two axes; a margin may exceed the array."""
    array = as_array(array, "array")
    for name, margin in (("top", top), ("bottom", bottom), ("left", left), ("right", right)):
        check_whole_number(name, margin, 0, "a margin of 0 adds nothing", LARGEST // 4)
    top, bottom, left, right = int(top), int(bottom), int(left), int(right)  # those of NumPy may overflow
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise InputError(f"array must have shape (..., H, W) with pixels, got {array.shape}; array[None] adds an axis")
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
    image, labels, weights = check_planes(image, labels, weights)
    check_windows(rng, tile, output)
    margin = margins(tile, output)
    top, left = (random_start(rng, size, length) for size, length in zip(labels.shape, output, strict=True))
    x = cut(image, top - margin[0], left - margin[1], *tile)  # (C, *tile)
    symmetry = _random_symmetry(rng, is_square=tile[0] == tile[1] and output[0] == output[1])
    labels = symmetry(cut(labels, top, left, *output))
    if weights is not None:
        weights = symmetry(cut(weights, top, left, *output))
    return symmetry(x), labels, weights


def check_planes(image, labels, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the three as arrays; raise InputError unless they are (C, H, W), (H, W) and (H, W) or None."""
    image, labels = as_array(image, "image"), as_array(labels, "labels")
    if image.ndim != 3 or image.shape[1:] != labels.shape or not image.size:
        raise InputError(
            f"expected an image (C, H, W) and labels (H, W), got shapes {image.shape} and {labels.shape}; image[None] "
            "adds a channel"
        )
    weights = None if weights is None else as_array(weights, "weights")
    if weights is not None and weights.shape != labels.shape:
        raise InputError(
            f"weights must have the shape of the labels, {labels.shape}, got {weights.shape}; give one a pixel"
        )
    return image, labels, weights


def check_windows(rng: np.random.Generator, tile: tuple[int, int], output: tuple[int, int]) -> None:
    """Raise InputError unless `rng` can draw a place, and tile and output are a height and a width each."""
    check_generator(rng)
    for name, size in (("tile", tile), ("output", output)):
        is_pair = isinstance(size, (tuple, list, np.ndarray)) and len(size) == 2
        if not is_pair or not all(is_whole_number(n) and 1 <= n <= LARGEST for n in size):
            raise InputError(
                f"{name} must be (height, width) from 1 to {LARGEST}, got {size!r:.60}; 220 and 220 are usual"
            )


def _check_window(top: int, left: int, height: int, width: int) -> None:
    for name, n in (("top", top), ("left", left)):
        check_whole_number(name, n, -FARTHEST, "it counts pixels", FARTHEST)
    for name, n in (("height", height), ("width", width)):
        check_whole_number(name, n, 1, "it counts pixels", LARGEST)


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
