"""Augmentation: from a few annotated images, endless ones that could have been (section 3.1).

Above all, elastic deformation: random displacement vectors on a coarse grid of nodes, Gaussian, and a smooth
displacement of every pixel between them by bicubic interpolation, one axis after the other:

    displacement[a, h, w] = sum_{i,j}  rows[h, i] * nodes[a, i, j] * columns[w, j]        a: 0 down, 1 to the right

where rows[h, i] is what node i has to say at h: the cubic spline through a 1 at node i and 0 at the others. Then turn,
mirror and shift are added, and the image is read at the sum of all, ONCE, beyond its edges as in a mirror:

    x[c, h, w] = image[c, centre + turn @ (h, w) + displacement[:, h, w]]

Grey values are interpolated by cubic splines: linear interpolation would blur, and a network that has seen only blurred
noise is taken aback by sharp noise. Labels are those of the nearest pixel, never blended. The weight map, interpolated
linearly, is bent along: nearly the map of the bent cells, since the field hardly changes over the width of a border.
"""

from typing import NamedTuple

import numpy as np
import scipy  # it imports scipy.ndimage at its first use

from minunet.data.tiles import margins, place
from minunet.errors import InputError

NODES = 3  # the paper's grid is 3x3 ...
EXTENT = 512  # ... and spans its images, so that nodes lie 255 pixels apart; a smaller tile is a window of such a field


class Strength(NamedTuple):
    """How far an augmented tile may be from the original: as in the paper, and grey values by choice."""

    elastic: float = 10.0  # standard deviation of the displacements, in pixels
    rotation: bool = True  # by any angle
    gain: float = 0.1  # standard deviation of the logarithm of a factor on the grey values
    offset: float = 0.1  # standard deviation of a shift of the grey values, which have standard deviation 1


DEFAULT = Strength()


def elastic_deform(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, grid: int = NODES, std: float = 10.0
) -> tuple[np.ndarray, np.ndarray]:
    """Bend an image and its labels by the same smooth random field (section 3.1).

    Parameters
    ----------
    image : array, (H, W) or (C, H, W)
    labels : array, (H, W)
    grid : int, at least 2
        Number of nodes along each axis; the first and the last lie on the edges.
    std : float
        Standard deviation of the displacement of a node along each axis, in pixels; 0 changes nothing.

    Returns
    -------
    image, labels : arrays like the arguments; the labels keep their values

    Raises
    ------
    InputError
        If the shapes differ, the grid is below 2, or std is negative.
    """
    if image.shape[-2:] != labels.shape:
        raise InputError(f"image and labels must have one size, got {image.shape} and {labels.shape}; crop one of them")
    if grid < 2 or not std >= 0:
        raise InputError(
            f"grid must be at least 2 and std at least 0 pixels, got {grid} and {std}; the paper has 3, 10"
        )
    nodes = std * rng.standard_normal((2, grid, grid))
    if std == 0:
        return image.copy(), labels.copy()
    H, W = labels.shape
    rows, columns = (np.linspace(0, grid - 1, n) for n in (H, W))
    positions = np.indices((H, W)) + displacement(nodes, rows, columns)  # (2, H, W)
    return _read(image, positions, order=3), _read(labels, positions, order=0)


def augmented_tile(
    image: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    rng: np.random.Generator,
    tile: tuple[int, int],
    output: tuple[int, int],
    strength: Strength = DEFAULT,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return a random tile as `random_tile` does, that is also turned by any angle, bent, and of other grey values.

    Parameters and results are those of `minunet.data.tiles.random_tile`. The tile's centre is anywhere where the
    output window would lie in the image.
    """
    top, left = (place(rng, size, length) for size, length in zip(labels.shape, output, strict=True))
    quarter_turns, mirrored = rng.integers(4), rng.integers(2)
    angle = rng.uniform(0, 2 * np.pi) if strength.rotation else quarter_turns * np.pi / 2
    nodes = strength.elastic * rng.standard_normal((2, NODES, NODES))
    corner = rng.random(2)  # where the tile lies in the field of displacements, from 0 to 1
    gain, offset = np.exp(strength.gain * rng.standard_normal()), strength.offset * rng.standard_normal()

    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [1, 1 - 2 * mirrored]
    centre = np.array([top, left]) + (np.array(output) - 1) / 2
    from_centre = np.indices(tile) - (np.reshape(tile, (2, 1, 1)) - 1) / 2  # (2, *tile)
    positions = np.tensordot(turn, from_centre, axes=1) + centre[:, None, None]
    positions += displacement(nodes, *(_in_field(n, at) for n, at in zip(tile, corner, strict=True)))

    x = (gain * _read(image, positions, order=3) + offset).astype(image.dtype)  # (C, *tile)
    top, left = margins(tile, output)
    inner = positions[:, top : top + output[0], left : left + output[1]]  # (2, *output)
    return x, _read(labels, inner, order=0), None if weights is None else _read(weights, inner, order=1)


def displacement(nodes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the displacement at every crossing of rows and columns, (2, H, W), in pixels.

    Parameters
    ----------
    nodes : array, (2, G, G)
        The displacement vector of each node.
    rows, columns : arrays, (H,) and (W,)
        Positions in units of nodes, 0 to G - 1.
    """
    return _says(nodes.shape[1], rows) @ nodes @ _says(nodes.shape[2], columns).T  # (H, G) @ (2, G, G) @ (G, W)


def _says(nodes: int, at: np.ndarray) -> np.ndarray:
    """Return what each node has to say at each position, (positions, nodes)."""
    hats = np.eye(nodes)
    return np.stack([scipy.ndimage.map_coordinates(hat, at[None], order=3, mode="mirror") for hat in hats], axis=1)


def _in_field(length: int, at: float) -> np.ndarray:
    """Return the positions of `length` pixels in a field of EXTENT pixels, in units of nodes."""
    extent = max(EXTENT, length)
    return (at * (extent - length) + np.arange(length)) / (extent - 1) * (NODES - 1)


def _read(planes: np.ndarray, positions: np.ndarray, order: int) -> np.ndarray:
    """Return planes (..., H, W) at positions (2, h, w) of the mirrored image, (..., h, w)."""
    if planes.ndim == 3:
        return np.stack([_read(plane, positions, order) for plane in planes])
    return scipy.ndimage.map_coordinates(planes, positions, order=order, mode="mirror")
