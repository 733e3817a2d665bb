"""What `predict` asks of an image and of the array for its result, found out before the first tile is computed."""

from collections.abc import Iterator

import numpy as np

from minunet.data.normalisation import normalise
from minunet.errors import InputError
from minunet.network.sizes import output_size, smallest_input_size
from minunet.prediction.memory_map import let_go

BAND = 2**20  # pixels: as much is in memory at once


def check_image(params: dict, image: np.ndarray, normalisation: dict | None = None) -> None:
    """Raise InputError unless the network can predict the image; reads it band by band."""
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
    if normalisation is not None:
        normalise(np.zeros((channels, 1, 1)), normalisation)  # raises if it is not for such images
    if image.dtype.kind == "f":
        bad = sum(np.count_nonzero(~np.isfinite(image[..., rows, :])) for rows in bands(image))
        if bad:
            raise InputError(
                f"image must be finite, got NaN or infinity in {bad} values; "
                "replace them, with numpy.nan_to_num for example"
            )


def check_tile(tile, depth: int = 4) -> tuple[int, int]:
    """Return `tile`, one size or two, as (height, width) of an input to predict with.

    Raises
    ------
    InputError
        If it does not fit, or its output is below 2**depth: tiles must lie that far apart to pool the same windows.
    """
    step = 2**depth
    smallest = smallest_input_size(step, depth)
    tile = (tile, tile) if np.ndim(tile) == 0 else tuple(tile)
    if len(tile) != 2:
        raise InputError(f"tile must be one size or (height, width), got {tile}; the smallest is {smallest}")
    for n in tile:
        if output_size(n, depth) < step:
            raise InputError(
                f"tile must have an output of at least {step} pixels to predict with at depth {depth}, got tile {n} "
                f"with {output_size(n, depth)}; the smallest tile is {smallest}"
            )
    return tile


def check_out(out, shape: tuple[int, int, int]) -> None:
    """Raise InputError unless the probabilities, of the given shape (K, H, W), can be written to `out`."""
    if tuple(out.shape) != shape or out.dtype.kind != "f":
        got = f"{out.dtype} {tuple(out.shape)}"
        raise InputError(f"out must be an array of floats {shape}, got {got}; make it with numpy.empty({shape})")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise InputError("out must be writeable, got a read-only array; open a numpy.memmap with mode='r+' or 'w+'")


def bands(array) -> Iterator[slice]:
    """Yield slices of rows of an array (..., H, W); a file's rows leave the memory when the next ones are asked for."""
    *_, H, W = array.shape
    rows = max(1, BAND // W)
    for top in range(0, H, rows):
        yield slice(top, top + rows)
        let_go(array)
