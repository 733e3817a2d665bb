"""Prediction of a Dask array, block by block.

The network needs a margin around each block: the pixels that its valid convolutions take off. In the words of parallel
computing, this margin is the block's halo. Inside the image the halo comes from the neighbouring blocks, and at the
image's border from the mirrored image:

    pad        mirror the image at its own border, by the margin
    overlap    give each block a margin of its neighbours' pixels (Dask's `overlap`)
    map        run the network on each block: (C, h + 2 margin, w + 2 margin) -> (K, h, w)

Dask's own boundary "reflect" repeats the edge pixel, so the mirror is made here. All blocks begin at multiples of
2**depth. So they pool the same windows of the image as `minunet.predict` does, and the results are the same.
"""

import itertools

import numpy as np

from minunet.data.normalisation import Normalisation, as_normalisation, normalise
from minunet.data.tiles import mirrored_indices
from minunet.errors import InputError
from minunet.network.sizes import border, output_size, smallest_input_size
from minunet.network.trained import Network
from minunet.prediction.checks import check_image, check_network, check_tile, warn_of_raw
from minunet.prediction.plan import default_tile
from minunet.prediction.predict import tile_probabilities
from minunet.scale.extras import need
from minunet.scale.grey_values import numbers_of


def predict(
    network: Network | dict,
    image,
    tile: int | tuple[int, int] | None = None,
    *,
    normalisation: Normalisation | dict | str | None = None,
):
    """Return the probability of each class at every pixel, as a Dask array: nothing is computed yet.

    Parameters
    ----------
    network : Network, or parameters as from `init_unet`
        As for `minunet.predict`. It is sent to each worker once.
    image : dask.array.Array, (H, W) or (C, H, W), any chunks
    tile : int or (height, width), optional
        Input size of the network. It changes the memory that is needed, not the result.
    normalisation : Normalisation, or "image", or a dict of mean and std, optional
        In place of the network's. For "image" the image is read once, now; see `grey_values.py`.

    Returns
    -------
    probabilities : dask.array.Array, (K, H, W)
        Its blocks have the size of the image's largest chunk, rounded up to a multiple of 2**depth, and at least that
        of the margin. Whatever scheduler is active computes them: threads, or the processes of a Client.

    Raises
    ------
    InputError
        If the image does not fit the network, or the tile is too small. NaN in a block is found when that block is
        computed.
    """
    da, dask = need("dask.array"), need("dask")
    params, own_normalisation = check_network(network)
    normalisation = own_normalisation if normalisation is None else as_normalisation(normalisation)
    image = image[None] if image.ndim == 2 else image
    _check(params, image, normalisation)
    if normalisation is None and image.dtype.kind in "biu":
        _warn_of_raw(image)
    if normalisation is not None and normalisation.scope == "image":
        normalisation = numbers_of(image)
    bias, depth = params["head"]["bias"], len(params["encode"])
    tile = None if tile is None else check_tile(tile, depth)
    before, after = margins(depth)
    step, (_, H, W) = 2**depth, image.shape
    size = [_round_up(max(after, *chunks), step) for chunks in image.chunks[1:]]  # of a block
    heights, widths = (_lengths(_round_up(n, step), length) for n, length in zip((H, W), size, strict=True))

    padded = _mirror_pad(image, 1, before, sum(heights) - H + after)
    padded = _mirror_pad(padded, 2, before, sum(widths) - W + after)
    padded = padded.rechunk((-1, _with_margins(heights, before, after), _with_margins(widths, before, after)))
    halo = {1: (before, after), 2: (before, after)}
    blocks = da.overlap.overlap(padded, depth=halo, boundary="none", allow_rechunk=False)
    token = dask.base.tokenize(params, normalisation)
    sent_once = dask.delayed((params, normalisation), name=f"network-{token}", traverse=False)
    probabilities = blocks.map_blocks(
        predict_block,
        sent_once,
        tile=tile,
        size=tuple(size),
        chunks=((len(bias),), heights, widths),
        dtype=bias.dtype,
        meta=np.empty((0, 0, 0), bias.dtype),
    )
    return probabilities[:, :H, :W]


def margins(depth: int) -> tuple[int, int]:
    """Return how many pixels the network must see before and after a block of a multiple of 2**depth pixels.

    Half of the border is lost on each side. From depth 3 on, the next input that fits the network is 4 pixels larger.
    """
    step, before = 2**depth, border(depth) // 2
    return before, smallest_input_size(step, depth) - step - before


def predict_block(
    x: np.ndarray,
    network: tuple[dict, Normalisation | None],
    tile: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    block_id: tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """Return the probabilities of a block, (K, h, w), from the block with its margins on both axes, x (C, ...).

    `size` is that of a block, and `block_id` its place among them, (0, row, column).
    """
    params, normalisation = network[:2]  # a Network has more
    _check_finite(x, block_id, size)
    bias, depth = params["head"]["bias"], len(params["encode"])
    x = (x if normalisation is None else normalise(x, normalisation)).astype(bias.dtype)
    h, w = (n - sum(margins(depth)) for n in x.shape[1:])
    tile = tile or default_tile((h, w), depth)
    height, width = (output_size(n, depth) // 2**depth * 2**depth for n in tile)
    out = np.empty((len(bias), h, w), bias.dtype)
    for top, left in itertools.product(range(0, h, height), range(0, w, width)):
        bottom, right = min(top + height, h), min(left + width, w)
        rows, columns = (smallest_input_size(n, depth) for n in (bottom - top, right - left))
        p = tile_probabilities(params, x[:, top : top + rows, left : left + columns])
        out[:, top:bottom, left:right] = p[:, : bottom - top, : right - left]
    return out


def _mirror_pad(image, axis: int, before: int, after: int):
    """Return the Dask array with mirrored margins on one axis, as numpy.pad's "reflect" makes them."""
    da, size = need("dask.array"), image.shape[axis]
    start, stop = (da.take(image, mirrored_indices(at, n, size), axis) for at, n in ((-before, before), (size, after)))
    return da.concatenate([start, image, stop], axis)


def _round_up(n: int, step: int) -> int:
    return (n + step - 1) // step * step


def _lengths(total: int, length: int) -> tuple[int, ...]:
    """Return how long the blocks of an axis are: `length` each, and the last one the rest."""
    return tuple(min(length, total - start) for start in range(0, total, length))


def _with_margins(lengths: tuple[int, ...], before: int, after: int) -> tuple[int, ...]:
    """Return the chunks of the padded axis: the image's margins belong to the first and the last block."""
    first, *others = lengths
    *others, last = [first + before, *others]
    return (*others, last + after)


def _check(params: dict, image, normalisation: Normalisation | None) -> None:
    """Raise InputError unless shape and type of the image fit the network; its values are not read."""
    kind = np.uint8 if image.dtype.kind == "f" else image.dtype
    check_image(params, np.broadcast_to(np.zeros((), kind), image.shape), normalisation)


def _warn_of_raw(image) -> None:
    warn_of_raw(f"values of type {image.dtype}")


def _check_finite(x: np.ndarray, block_id: tuple[int, int, int], size: tuple[int, int] | None) -> None:
    bad = np.count_nonzero(~np.isfinite(x)) if x.dtype.kind == "f" else 0
    if bad:
        top, left = (place * length for place, length in zip(block_id[1:], size or (0, 0), strict=True))
        raise InputError(
            f"image must be finite, got NaN or infinity in {bad} values in or near the block that begins at row {top}, "
            f"column {left}; replace them, with numpy.nan_to_num for example"
        )
