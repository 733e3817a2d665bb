"""Bending an image: random displacements on a coarse grid, bicubic between its nodes (section 3.1).

Between the nodes, the displacement is a cubic spline along each axis, so the two axes are two small matrices:

    displacement[:, h, w] = sum_{g,k} rows[h, g] * nodes[:, g, k] * columns[w, k]
"""

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import (
    array_module,
    as_array,
    check_finite,
    check_generator,
    is_number,
    is_whole_number,
    ndimage_of,
)
from minunet.errors import InputError

FINEST, FARTHEST = 1000, 1e6  # the largest grid, and the largest standard deviation in pixels
EXACT = 2**53  # SciPy reads labels as float64, which holds no larger whole number for certain


def elastic_deform(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, grid: int = 3, std: float = 10.0
) -> tuple[np.ndarray, np.ndarray]:
    """Bend an image and its labels by one smooth random field; beyond its edges the image is mirrored.

    The grid spans the image, whatever its size: on 512 pixels its nodes are 255 pixels apart. The defaults of `grid`
    and `std` are the paper's.

    Parameters
    ----------
    image : array, (H, W) or (C, H, W)
        Interpolated by cubic splines; integers are rounded and kept in the range of their type.
    labels : array, (H, W)
        Taken from the nearest pixel, so they keep their values.
    grid : int, at least 2
        Nodes along each axis; the first and the last lie on the edges.
    std : float
        Standard deviation of the displacement of a node along each axis, in pixels; 0 changes nothing.

    Returns
    -------
    image, labels : new arrays of the shapes and types of the arguments

    Raises
    ------
    InputError
        If the sizes differ, the image is of another type, the grid is below 2, or std is negative or not finite.
    """
    image, labels = as_pair(image, labels)
    check_finite(image, "image")
    check_generator(rng)
    if not is_whole_number(grid) or not 2 <= grid <= FINEST or not is_number(std) or not 0 <= std <= FARTHEST:
        raise InputError(
            f"grid must be at least 2 and std at least 0 pixels, got grid {grid!r:.40} and std {std!r:.40}; the "
            f"paper has 3 and 10, and {FINEST} and {FARTHEST:.0e} are the largest"
        )
    std = float(std)
    nodes = std * rng.standard_normal((2, grid, grid))
    if std == 0:
        return image.copy(), labels.copy()
    H, W = labels.shape
    displacement = bicubic(nodes, np.linspace(0, grid - 1, H), np.linspace(0, grid - 1, W))  # (2, H, W)
    positions = np.indices((H, W)) + displacement
    return interpolate(image, positions, order=3), interpolate(labels, positions, order=0)


def as_pair(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays; raise InputError unless each pixel has a label, and the image can be interpolated."""
    image, labels = as_array(image, "image"), as_array(labels, "labels")
    if not labels.size or not image.size:
        raise InputError(
            f"image and labels must have pixels, got {image.shape} and {labels.shape}; pass one image with its labels"
        )
    if labels.dtype.kind in "iu" and labels.itemsize == 8 and labels.max() > EXACT:
        raise InputError(f"labels must be at most {EXACT}, got {labels.max()}; number the cells 1, 2, ...")
    if image.ndim not in (2, 3) or image.shape[-2:] != labels.shape:
        raise InputError(
            f"expected an image (H, W) or (C, H, W) and labels (H, W), got shapes {image.shape} and {labels.shape}; "
            "pass one image with its labels"
        )
    if image.dtype.kind not in "iu" and image.dtype not in (np.float32, np.float64):
        raise InputError(
            f"expected an image of integers, float32 or float64, got {image.dtype}; use image.astype(np.float32)"
        )
    return image, labels


def bicubic(nodes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate between the nodes, at each crossing of rows and columns; return (2, H, W).

    Parameters
    ----------
    nodes : array, (2, G, K)
    rows, columns : arrays, (H,) and (W,)
        Positions in units of nodes, from 0 to G - 1 and to K - 1.
    """
    G, K = nodes.shape[1:]
    return spline_matrix(G, rows) @ nodes @ spline_matrix(K, columns).T  # (H, G) @ (2, G, K) @ (K, W)


def spline_matrix(nodes: int, at: np.ndarray) -> np.ndarray:
    """Return the share of each node at each position, (positions, nodes).

    Column k is the cubic spline that is 1 at node k and 0 at all other nodes.
    """
    positions = np.meshgrid(at, np.arange(nodes), indexing="ij")
    return scipy.ndimage.map_coordinates(np.eye(nodes), positions, order=3, mode="mirror")


def interpolate(planes: np.ndarray, positions: np.ndarray, order: int) -> np.ndarray:
    """Return the values of planes (H, W) or (C, H, W) at positions (2, h, w), in their dtype and on their device.

    The planes are mirrored at their edges. Order 0 takes the nearest pixel, 1 is linear, 3 is cubic.
    """
    xp = array_module(planes)
    positions = xp.asarray(positions)
    if planes.ndim == 3:
        return xp.stack([interpolate(plane, positions, order) for plane in planes])
    return ndimage_of(planes).map_coordinates(planes, positions, planes.dtype, order, mode="mirror")
