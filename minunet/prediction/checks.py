"""What `predict` needs of a network, an image, a tile and the array for its result, checked before it starts."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from minunet.data.normalisation import Normalisation, as_normalisation, normalise
from minunet.errors import InputError
from minunet.network.sizes import is_whole_number, output_size, smallest_input_size
from minunet.network.trained import Network
from minunet.prediction.memory_map import let_go
from minunet.prediction.rotations import COUNTS

MIDDLE = 32  # pixels: the side of the window that shows whether an image is normalised
RAW = 10  # standard deviations: the mean of a normalised image is nearer to 0
SLICE = 2**20  # pixels: so many are in memory at once
PARTS = ("encode", "bottom", "decode", "head")


def check_network(network: Network | dict) -> tuple[dict, Normalisation | None]:
    """Return the parameters and, of a Network, its normalisation; raise InputError if it is neither."""
    if isinstance(network, Network):
        _check_params(network.params)
        return network.params, as_normalisation(network.normalisation)
    _check_params(network)
    return network, None


def _check_params(params: Any) -> None:
    """Raise InputError unless these are the parameters of a network."""
    if isinstance(params, dict) and all(part in params for part in PARTS):
        return
    remedy = "take its .network" if hasattr(params, "network") else "load_network reads one from a path"
    raise InputError(
        "network must be a Network, as from minunet.load_network or minunet.train, or parameters as from "
        f"minunet.init_unet, got {_shown(params)}; {remedy}"
    )


def _shown(value) -> str:
    return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"


def check_image(params: dict, image: np.ndarray, normalisation: Normalisation | None = None) -> None:
    """Raise InputError unless the network can predict the image; reads it some rows at a time."""
    channels = params["encode"][0]["conv1"]["weight"].shape[1]
    shape = (1, *image.shape) if len(image.shape) == 2 else tuple(image.shape)
    if len(shape) != 3 or shape[0] != channels or 0 in shape:
        expected = "(H, W) or (1, H, W)" if channels == 1 else f"({channels}, H, W)"
        raise InputError(
            f"image must have shape {expected} for this network, got {shape}; convert it, or train "
            "a network on images like it"
        )
    if image.dtype.kind not in "biuf":
        raise InputError(f"image must hold numbers, got {image.dtype}; convert it with image.astype(numpy.float32)")
    if normalisation is not None and normalisation.scope == "dataset":
        normalise(np.zeros((channels, 1, 1)), normalisation)  # raises if it is not for such images
    if image.dtype.kind == "f":
        bad = sum(np.count_nonzero(~np.isfinite(image[..., rows, :])) for rows in slices_of_rows(image))
        if bad:
            raise InputError(
                f"image must be finite, got NaN or infinity in {bad} values; "
                "replace them, with numpy.nan_to_num for example"
            )


def warn_if_raw(image: np.ndarray) -> None:
    """Warn if the middle of an image is far from a mean of 0, as grey values from a file are."""
    H, W = image.shape[-2:]
    top, left = max(0, (H - MIDDLE) // 2), max(0, (W - MIDDLE) // 2)
    mean = float(image[..., top : top + MIDDLE, left : left + MIDDLE].mean())
    if abs(mean) > RAW:
        warnings.warn(
            f"parameters alone take an image as it is, expected a mean near 0, got {mean:.0f}; grey values that "
            'are not normalised give wrong classes: pass a Network, as from load_network, or normalisation="image"',
            stacklevel=3,
        )


def check_tile(tile: int | tuple[int, int], depth: int = 4) -> tuple[int, int]:
    """Return `tile`, one size or two, as (height, width) of an input to predict with.

    Raises
    ------
    InputError
        If it does not fit, or its output is below 2**depth: tiles must lie that far apart to pool the same windows.
    """
    step = 2**depth
    smallest = smallest_input_size(step, depth)
    height, width = _height_and_width(tile, smallest)
    if np.ndim(tile) == 0 and tile in COUNTS:  # no tile is that small
        raise InputError(
            f"tile must be at least {smallest} pixels, got {tile}; to average over {tile} versions of the image write "
            f"rotations={tile}"
        )
    for n in (height, width):
        if output_size(n, depth) < step:
            raise InputError(
                f"tile must have an output of at least {step} pixels to predict with at depth {depth}, got tile {n} "
                f"with {output_size(n, depth)}; the smallest tile is {smallest}"
            )
    return height, width


def _height_and_width(tile: Any, smallest: int) -> tuple[int, int]:
    """Return one size, or two, as two; raise InputError for anything else."""
    sizes = (tile, tile) if np.ndim(tile) == 0 else tuple(tile)
    if len(sizes) != 2 or not all(map(is_whole_number, sizes)):
        raise InputError(f"tile must be one size or (height, width), got {tile!r}; the smallest is {smallest}")
    return sizes[0], sizes[1]


def check_out(out, shape: tuple[int, int, int]) -> None:
    """Raise InputError unless the probabilities, of the given shape (K, H, W), can be written to `out`."""
    if tuple(out.shape) != shape or out.dtype.kind != "f":
        got = f"{out.dtype} {tuple(out.shape)}"
        raise InputError(f"out must be an array of floats {shape}, got {got}; make it with numpy.empty({shape})")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise InputError("out must be writeable, got a read-only array; open a numpy.memmap with mode='r+' or 'w+'")


def slices_of_rows(array) -> Iterator[slice]:
    """Yield slices of rows of an array (..., H, W); before the next slice, the rows of a file are let go of."""
    *_, H, W = array.shape
    rows = max(1, SLICE // W)
    for top in range(0, H, rows):
        yield slice(top, top + rows)
        let_go(array)
