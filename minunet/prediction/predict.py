"""Overlap-tile (Fig. 2): an image of any size through a network that sees one tile at a time.

To predict an output tile the network must see more: the border that valid convolutions take off, on every side.
Where that border lies outside the image, the image is mirrored. The output tiles stand side by side without overlap,
so every pixel is predicted once, and its value does not depend on the tile:

    x[c, h - border / 2 ...]  ->  network  ->  logits[k, h ...]  ->  p[k, h ...] = softmax over k

That holds only if all tiles pool the same windows of the image: so each tile starts at a multiple of 2**depth.
The same is done with each turned version of the image, on the grid of that version; see `rotations.py`.

Only what a tile needs is in memory. The image is read, and the result written, slice by slice.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from minunet.backend import array_module, to_host
from minunet.data.normalisation import Normalisation, as_normalisation, normalisation_of, normalise
from minunet.data.sample import Sample
from minunet.data.tiles import cut
from minunet.errors import InputError
from minunet.gpu import allow_tf32_if_asked
from minunet.network.sizes import border, output_size, smallest_input_size
from minunet.network.trained import Network
from minunet.network.unet import unet_forward
from minunet.prediction.checks import (
    as_image,
    check_image,
    check_memory_for,
    check_network,
    check_out,
    check_tile,
    slices_of_rows,
    warn_if_raw,
)
from minunet.prediction.memory_map import let_go
from minunet.prediction.rotations import Version, add_turned_back, block, turned_window, versions
from minunet.progress import ProgressBar

LARGEST = 512  # pixels: the output of a tile is at most this large, unless the caller says otherwise


def predict(
    network: Network | dict,
    image: np.ndarray,
    tile: int | tuple[int, int] | None = None,
    rotations: int = 1,
    *,
    normalisation: Normalisation | dict | str | None = None,
    out: np.ndarray | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Return the probability of each class at every pixel.

    Parameters
    ----------
    network : Network, or parameters as from `init_unet`
        A Network, as from `load_network` or `train`, normalises the image as it was trained. Parameters alone take the
        image as it is; a warning tells if it seems not to be normalised. The prediction runs in their dtype, on their
        device.
    image : array, (H, W) or (C, H, W), any size and type of number
        Anything that can be sliced, a numpy.memmap for example.
    tile : int or (height, width), optional
        Input size of the network. It changes the memory that is needed, not the result.
    rotations : 1, 4, 7 or 8
        Average over that many versions of the image: itself, the quarter turns, turns by 360/7 degrees as in the
        paper, or all symmetries of the square.
    normalisation : Normalisation, or "image", or a dict of mean and std, optional
        In place of the network's. "image" normalises the image by its own mean and standard deviation; to find them,
        all of it is read into memory once.
    out : array of floats, (K, H, W), optional
        Where to write the result, a numpy.memmap for example. With it, the memory needed does not grow with the image.
    progress : bool
        Show a progress bar by tiles.

    Returns
    -------
    probabilities : array on the host, (K, H, W)
        `out`, if it was given.

    Raises
    ------
    InputError
        If the image does not fit the network or holds NaN, the tile is too small, rotations is another number, or
        `out` or the normalisation does not fit, or more memory is needed than is free. All that is checked before
        `out` is changed. If the network's values are too large for its numbers, so that probabilities are NaN.
    """
    params, own_normalisation = check_network(network)
    normalisation = own_normalisation if normalisation is None else as_normalisation(normalisation)
    image = as_image(image)
    check_image(params, image, normalisation)
    if normalisation is None:
        warn_if_raw(image)
    else:
        normalisation = _numbers_for(image, normalisation)
    bias, depth = params["head"]["bias"], len(params["encode"])
    *_, H, W = image.shape
    given = None if tile is None else check_tile(tile, depth)
    plan = [(version, given or default_tile(version.turned_size, depth)) for version in versions(rotations, (H, W))]
    check_memory_for(params, [size for _, size in plan], 0 if out is not None else len(bias) * H * W)
    if out is None:
        out = np.empty((len(bias), H, W), bias.dtype)
    check_out(out, (len(bias), H, W))
    for rows in slices_of_rows(out):
        out[:, rows] = 0

    allow_tf32_if_asked(bias)
    read = partial(_read, image, normalisation, bias.dtype)
    tiles = sum(1 for _ in output_windows(plan, depth))
    with ProgressBar(total=tiles, unit="tile", disable=None if progress else True, leave=False) as bar:
        for version, size, top, left, height, width in output_windows(plan, depth):
            margin = border(depth) // 2
            x = turned_window(version, read, top - margin, left - margin, *size)  # (C, *size)
            p = tile_probabilities(params, x)[:, :height, :width]  # (K, height, width)
            add_turned_back(version, p / rotations, top, left, out)
            let_go(image)
            let_go(out)
            bar.update()
    return out


def _numbers_for(image, normalisation: Normalisation) -> Normalisation:
    """Return the normalisation with the numbers that hold for this image, (H, W) or (C, H, W)."""
    if normalisation.scope == "dataset":
        return normalisation
    whole = np.asarray(image[..., :, :])  # by slices: that is all that some file formats offer
    return normalisation_of(whole[None] if whole.ndim == 2 else whole, normalisation)


def output_windows(
    plan: list[tuple[Version, tuple[int, int]]], depth: int
) -> Iterator[tuple[Version, tuple[int, int], int, int, int, int]]:
    """Yield (version, tile, top, left, height, width): the window of a version that a tile is to predict."""
    for version, tile in plan:
        height, width = (output_size(n, depth) // 2**depth * 2**depth for n in tile)
        for top in range(0, version.turned_size[0], height):
            for left in range(0, version.turned_size[1], width):
                if block(version, top, left, height, width):  # the corners of a turned version hold nothing
                    yield version, tile, top, left, height, width


def _read(image, normalisation, dtype, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return a window of the mirrored image as the network takes it, (C, height, width)."""
    window = cut(image, top, left, height, width)
    window = window[None] if window.ndim == 2 else window
    return (window if normalisation is None else normalise(window, normalisation)).astype(dtype)


def tile_probabilities(params: dict, x: np.ndarray) -> np.ndarray:
    """Run the network on one tile (C, H, W) on its device; return the softmax over the classes, (K, OH, OW)."""
    xp = array_module(params["head"]["bias"])
    with np.errstate(over="ignore", invalid="ignore"):  # the result tells
        batch, _ = unet_forward(params, xp.asarray(x[None]))  # (1, K, OH, OW)
        logits = batch[0]  # (K, OH, OW)
        p = xp.exp(logits - logits.max(axis=0))
        p = to_host(p / p.sum(axis=0))
    if not np.isfinite(p).all():
        raise InputError(
            "the network must give finite numbers, got NaN: its weights, or the image's values, are too large; take an "
            "intact checkpoint, or check the image"
        )
    return p


def default_tile(size: np.ndarray | tuple[int, int], depth: int) -> tuple[int, int]:
    """Return an input tile (height, width) whose outputs cover `size` in few, nearly equal parts of at most LARGEST."""
    height, width = size
    return _default_length(height, depth), _default_length(width, depth)


def _default_length(length: int, depth: int) -> int:
    """Return the height or the width of the default tile."""
    step = 2**depth
    parts = math.ceil(length / LARGEST)
    output = math.ceil(length / parts)
    return smallest_input_size(step * math.ceil(output / step), depth)


def predict_samples(
    network: Network | dict, samples: list[Sample], progress: bool = False, **options
) -> list[np.ndarray]:
    """Return the probabilities (K, H, W) of each sample; `network`, `progress` and `options` as for `predict`."""
    disable = None if progress and len(samples) > 1 else True
    samples_with_bar = ProgressBar(samples, desc="predicting", unit="image", disable=disable, leave=False)
    return [predict(network, sample.image, progress=progress, **options) for sample in samples_with_bar]
