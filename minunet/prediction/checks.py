"""What `predict` needs of a network, an image, a tile and the array for its result, checked before it starts."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from minunet.backend import array_module, as_array, check_has_no_mask, is_whole_number, to_host
from minunet.data.normalisation import Normalisation, as_normalisation, normalise
from minunet.errors import InputError, shown
from minunet.network.checks import check_is_plain, check_params
from minunet.network.sizes import LARGEST_TILE, output_size, smallest_input_size
from minunet.network.trained import Network
from minunet.prediction.memory_map import let_go
from minunet.prediction.rotations import COUNTS

MIDDLE = 32  # pixels: the side of the window that shows whether an image is normalised
RAW = 10  # standard deviations: the mean of a normalised image is nearer to 0
UNITS = (1.0, 255.0, 65535.0)  # grey values of 8 or 16 bits as they are, or divided by the largest
ENOUGH = 64 * 64  # pixels: a small part of a normalised image may lie within any range
WHOLE = 0.02  # float32 holds 65535ths of 1 more exactly
SLICE = 2**20  # pixels: so many are in memory at once
FEW = 2**14  # pixels, where several copies of them are made


def check_network(network: Network | dict) -> tuple[dict, Normalisation | None]:
    """Return the parameters and, of a Network, its normalisation; raise InputError if it is neither."""
    params = network.params if isinstance(network, Network) else network
    check_params(params)
    check_is_plain(params)
    return params, as_normalisation(network.normalisation) if isinstance(network, Network) else None


def as_image(image: Any) -> Any:
    """Return an image that can be read slice by slice: an array on the host, or a file as it is."""
    is_on_gpu = array_module(image) is not np
    is_file = not is_on_gpu and not isinstance(image, np.ndarray) and _is_sliceable(image)
    return image if is_file or isinstance(image, np.memmap) else as_array(to_host(image), "image")


def _is_sliceable(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(getattr(x, "dtype", None), "kind")


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
    """Warn if an image holds grey values as they come from a file, and not normalised ones."""
    H, W = image.shape[-2:]
    top, left = max(0, (H - MIDDLE) // 2), max(0, (W - MIDDLE) // 2)
    middle = image[..., top : top + MIDDLE, left : left + MIDDLE]
    mean = float(middle.mean())
    got = f"{mean:.0f}" if abs(mean) > RAW else _described_if_raw(image if image.dtype.kind == "f" else middle)
    if got:
        warn_of_raw(got)


def warn_of_raw(got: str) -> None:
    """Warn the caller of `predict` that its image holds no normalised values, but others."""
    warnings.warn(
        f"parameters alone take an image as it is, expected a mean near 0, got {got}; grey values that "
        'are not normalised give wrong classes: pass a Network, as from load_network, or normalisation="image"',
        stacklevel=4,
    )


def _described_if_raw(image: np.ndarray) -> str | None:
    """Return what values there are, if they are those of an image file or of a float image from 0 to 1; else None.

    A normalised image has values below 0, unless it is brighter than the training images' mean everywhere. Then its
    values are no whole numbers, or 255ths or 65535ths of them, and the smallest and the largest are seldom those of a
    float image. A constant image, of zeros perhaps, is left alone.
    """
    low, high, units = math.inf, -math.inf, list(UNITS)
    for rows in slices_of_rows(image, FEW):
        part = np.asarray(image[..., rows, :], np.float64)  # 65535 times a float16 is too large for one
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        if low < 0:
            return None
        units = [unit for unit in units if (abs(part * unit - np.round(part * unit)) < WHOLE).all()]
        if not units and high > 1:
            return None
    H, W = image.shape[-2:]
    is_from_0_to_1 = low < 0.05 and 0.5 < high <= 1 and H * W >= ENOUGH
    return f"only values from {low:.3g} to {high:.3g}" if low < high and (units or is_from_0_to_1) else None


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
        if n > LARGEST_TILE:
            raise InputError(f"tile must be at most {LARGEST_TILE:,} pixels, got {shown(n)}; leave it out")
        try:
            output = output_size(n, depth)
        except InputError as error:
            raise InputError(f"tile={n}: {error}") from error
        if output < step:
            raise InputError(
                f"tile must have an output of at least {step} pixels to predict with at depth {depth}, got tile {n} "
                f"with {output}; the smallest tile is {smallest}"
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
    check_has_no_mask(out, "out")
    if not _is_sliceable(out) or tuple(out.shape) != shape or out.dtype.kind != "f":
        got = f"{out.dtype} {tuple(out.shape)}" if _is_sliceable(out) else f"a {type(out).__name__}"
        raise InputError(f"out must be an array of floats {shape}, got {got}; make it with numpy.empty({shape})")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise InputError("out must be writeable, got a read-only array; open a numpy.memmap with mode='r+' or 'w+'")


def slices_of_rows(array, pixels: int = SLICE) -> Iterator[slice]:
    """Yield slices of rows of an array (..., H, W); before the next slice, the rows of a file are let go of."""
    *_, H, W = array.shape
    rows = max(1, pixels // W)
    for top in range(0, H, rows):
        yield slice(top, top + rows)
        let_go(array)
