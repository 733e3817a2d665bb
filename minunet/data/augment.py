"""Augmentation: the same cells, turned, mirrored, bent, lighter or darker (section 3.1).

A tile is read ONCE, at a position of the image for each of its pixels (h, w):

    position[:, h, w] = centre + turn @ ((h, w) - middle) + displacement[:, h, w]
    x[c, h, w]        = gain[c] * image[c, position[:, h, w]] + offset[c]

Beyond its edges the image is mirrored. Only the window of the image around the positions is read, so a tile takes the
same time from an image of any size.

Image      cubic splines. Interpolation blurs, and images to predict are not interpolated, so the tiles to train on
           should be blurred as little as possible: of the standard deviation of noise that differs from pixel to
           pixel, linear interpolation leaves 0.67, cubic 0.88.
Labels     from the nearest pixel, since a mean of two labels is no label.
Weights    linear. Bending the weight map is an approximation, since the distances in eq. 2 change as cells move
           apart. They change little, since neighbouring pixels move nearly alike. Where the weight of the nearest
           pixel is 0, its truth is unknown, and the weight stays 0.

The grey values change by a gain and an offset, and each channel has its own: so colours vary, too, as they do from one
staining to the next. There is no gamma, which needs grey values with a fixed minimum;
normalised ones have none. There is no added noise, since the images have noise of their own.

The random numbers and the positions are computed on the host, so that they are the same on every device. The tile is
read where the image is, on the host or on a GPU. To a GPU they go once, in the window and as float32, which is right to
1e-4 of a pixel.
"""

import math
from typing import NamedTuple

import numpy as np

from minunet.backend import array_module, is_number
from minunet.data.elastic import FARTHEST, as_pair, bicubic, interpolate
from minunet.data.tiles import check_planes, check_windows, cut, margins, random_start, random_tile
from minunet.errors import InputError

MARGIN = 12  # pixels: in a cubic spline, a pixel farther away contributes less than 1e-6
SPACING = 256  # pixels between the nodes of a tile's field: the paper's 3x3 nodes span its images of 512 pixels


class Augmentation(NamedTuple):
    """How far a tile may differ from the image; its place, flips and quarter turns are always random.

    The 10 pixels are the paper's. It also mentions grey-value variations, without numbers; those are our choice.
    """

    elastic: float = 10.0  # standard deviation of the displacement of a node along each axis, in pixels
    rotation: bool = True  # by any angle
    gain: float = 0.1  # standard deviation of the logarithm of a channel's gain
    offset: float = 0.1  # standard deviation of a channel's offset, in units of the normalised grey values


AUGMENTATIONS = {
    "symmetries": Augmentation(elastic=0.0, rotation=False, gain=0.0, offset=0.0),
    "jitter": Augmentation(elastic=0.0, rotation=False, gain=0.2, offset=0.2),  # symmetries, and other grey values
    "elastic": Augmentation(),
}


def augmented_tile(
    image: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    rng: np.random.Generator,
    tile: tuple[int, int],
    output: tuple[int, int],
    augmentation: Augmentation,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return a random tile, augmented; the values in the image do not change what is drawn from `rng`.

    Parameters
    ----------
    image : floating-point array, (C, H, W)
    labels : array, (H, W)
    weights : array, (H, W), or None
    tile, output : (height, width)
        Input and output size of the network. The tile is placed as in `random_tile`.

    Returns
    -------
    x : array, (C, *tile)
    labels : array, output
    weights : array, output, or None
    """
    image, labels = as_pair(image, labels)
    image, labels, weights = check_planes(image, labels, weights)
    for name, planes in (("image", image), ("weights", weights)):
        if planes is not None and planes.dtype not in (np.float32, np.float64):
            raise InputError(f"{name} must be float32 or float64, got {planes.dtype}; use {name}.astype(numpy.float32)")
    check_windows(rng, tile, output)
    augmentation = _checked(augmentation)
    if augmentation.elastic or augmentation.rotation:
        positions = draw_positions(rng, labels.shape, tile, output, augmentation)  # (2, *tile)
        window, positions = _window_around(positions)
        positions = _on_the_device_of(image, positions)
        x = interpolate(cut(image, *window), positions, order=3)
        (top, left), (height, width) = margins(tile, output), output
        positions = positions[:, top : top + height, left : left + width]  # (2, *output)
        labels = interpolate(cut(labels, *window), positions, order=0)
        weights = None if weights is None else _read_weights(cut(weights, *window), positions)
    else:
        x, labels, weights = random_tile(image, labels, weights, rng, tile, output)  # nothing to interpolate
    return _jittered(x, rng, augmentation), labels, weights


def _jittered(x: np.ndarray, rng: np.random.Generator, augmentation: Augmentation) -> np.ndarray:
    """Return gain * x + offset for x (C, h, w); each channel has its own gain and offset."""
    xp, each_channel = array_module(x), (len(x), 1, 1)
    gain = np.exp(augmentation.gain * rng.standard_normal(each_channel))
    offset = augmentation.offset * rng.standard_normal(each_channel)
    return xp.asarray(gain, x.dtype) * x + xp.asarray(offset, x.dtype)


def _checked(augmentation: Augmentation) -> Augmentation:
    """Return the augmentation with Python's numbers, which keep x float32; raise InputError if it is none."""
    if getattr(augmentation, "_fields", None) != Augmentation._fields:
        raise InputError(
            f"augmentation must be an Augmentation, got a {type(augmentation).__name__}; Augmentation() is"
        )
    elastic, rotation, gain, offset = augmentation
    for name, x in (("elastic", elastic), ("gain", gain), ("offset", offset)):
        if not is_number(x) or not 0 <= x <= FARTHEST:
            raise InputError(f"augmentation must have {name} from 0 to {FARTHEST:.0e}, got {x!r:.40}; 0 leaves it out")
    return Augmentation(float(elastic), rotation, float(gain), float(offset))


def draw_positions(
    rng: np.random.Generator,
    shape: tuple[int, int],
    tile: tuple[int, int],
    output: tuple[int, int],
    augmentation: Augmentation,
) -> np.ndarray:
    """Return where in an image of this shape each pixel of a random tile is read, (2, *tile)."""
    corner = [random_start(rng, size, length) for size, length in zip(shape, output, strict=True)]
    quarter_turns, sign = rng.integers(4), 1 - 2 * rng.integers(2)
    any_angle = rng.uniform(0, 2 * math.pi)
    displacement = _random_field(rng, tile, augmentation.elastic)

    angle = any_angle if augmentation.rotation else quarter_turns * math.pi / 2
    turn = np.array([[math.cos(angle), -sign * math.sin(angle)], [math.sin(angle), sign * math.cos(angle)]])
    h, w = (np.arange(n) - (n - 1) / 2 for n in tile)  # from the middle of the tile
    turned = turn[:, 0, None, None] * h[:, None] + turn[:, 1, None, None] * w  # (2, *tile)
    centre = np.array(corner) + (np.array(output) - 1) / 2
    return centre[:, None, None] + turned + displacement


def _random_field(rng: np.random.Generator, tile: tuple[int, int], std: float) -> np.ndarray:
    """Return a displacement for each pixel of a tile, (2, *tile).

    The tile lies at a random place in an endless grid of nodes, SPACING pixels apart. So small and large tiles are bent
    alike, and so are all pixels of a tile.
    """
    starts = 1 + rng.random(2)  # of the tile in the grid; one node more on either side, for the interpolation
    at = [start + np.arange(n) / SPACING for start, n in zip(starts, tile, strict=True)]
    counts = [math.ceil(2 + (n - 1) / SPACING) + 2 for n in tile]  # nodes, enough wherever the tile starts
    return bicubic(std * rng.standard_normal((2, *counts)), *at)


def _window_around(positions: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Return the window (top, left, height, width) that is needed to read there, and the positions in it."""
    first = np.floor(positions.min(axis=(1, 2))).astype(int) - MARGIN
    beyond = np.ceil(positions.max(axis=(1, 2))).astype(int) + MARGIN + 1
    return (*first, *(beyond - first)), positions - first[:, None, None]


def _on_the_device_of(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    xp = array_module(image)
    return positions if xp is np else xp.asarray(positions.astype(np.float32))


def _read_weights(weights: np.ndarray, positions: np.ndarray) -> np.ndarray:
    unknown = interpolate(weights, positions, order=0) == 0
    return array_module(weights).where(unknown, 0, interpolate(weights, positions, order=1))
