"""Overlap-tile (Fig. 2): an image of any size through a network that sees one tile at a time.

To predict an output tile the network must see more: the border that valid convolutions take off, on every side.
Where that border lies outside the image, the image is mirrored. The output tiles stand side by side without overlap,
so every pixel is predicted once, and its value does not depend on the tile:

    x[c, h - border / 2 ...]  ->  network  ->  logits[k, h ...]  ->  p[k, h ...] = softmax over k

That holds only if all tiles pool the same windows of the image: the places of the tiles are multiples of 2**depth.
The same is done with each turned version of the image, on the grid of that version; see `rotations.py`.

Only what a tile needs is in memory. The image is read, and the result written, slice by slice.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from tqdm import tqdm

from minunet.backend import allow_tf32_if_asked, array_module, to_host
from minunet.data.normalisation import normalisation_of, normalise
from minunet.data.sample import Sample
from minunet.data.tiles import cut
from minunet.network.sizes import border, output_size, smallest_input_size
from minunet.network.unet import unet_forward
from minunet.prediction.checks import bands, check_image, check_out, check_tile
from minunet.prediction.memory_map import let_go
from minunet.prediction.rotations import Version, add_turned_back, block, turned_window, versions

LARGEST = 512  # pixels: the output of a tile is at most this large, unless the caller says otherwise


def predict(
    params: dict,
    image: np.ndarray,
    tile=None,
    rotations: int = 1,
    *,
    normalisation: dict | None = None,
    out: np.ndarray | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Return the probability of each class at every pixel.

    Parameters
    ----------
    params : as from `init_unet`; the prediction runs in their dtype, on their device
    image : array, (H, W) or (C, H, W), any size and type of number
        Anything that can be sliced, a numpy.memmap for example.
    tile : int or (height, width), optional
        Input size of the network. It changes the memory that is needed, not the result.
    rotations : 1, 4, 7 or 8
        Average over that many versions of the image: itself, the quarter turns, turns by 360/7 degrees as in the
        paper, or all symmetries of the square.
    normalisation : dict, optional
        As from `minunet.data.fit_normalisation`, for an image that is not normalised as in training yet.
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
        `out` does not fit. All that is found out before `out` is touched.
    """
    image = to_host(image) if hasattr(image, "shape") else np.asarray(image)
    check_image(params, image, normalisation)
    bias, depth = params["head"]["bias"], len(params["encode"])
    *_, H, W = image.shape
    tile = None if tile is None else check_tile(tile, depth)
    plan = [(version, tile or _equal_parts(version.turned_size, depth)) for version in versions(rotations, (H, W))]
    if out is None:
        out = np.empty((len(bias), H, W), bias.dtype)
    check_out(out, (len(bias), H, W))
    for rows in bands(out):
        out[:, rows] = 0

    allow_tf32_if_asked(bias)
    read = partial(_read, image, normalisation, bias.dtype)
    tiles = sum(1 for _ in _windows(plan, depth))
    with tqdm(total=tiles, unit="tile", disable=None if progress else True, leave=False) as bar:
        for version, tile, top, left, height, width in _windows(plan, depth):
            margin = border(depth) // 2
            x = turned_window(version, read, top - margin, left - margin, *tile)  # (C, *tile)
            p = _probabilities(params, x)[:, :height, :width]  # (K, height, width)
            add_turned_back(version, p / rotations, top, left, out)
            let_go(image)
            let_go(out)
            bar.update()
    return out


def _windows(plan: list[tuple[Version, tuple]], depth: int) -> Iterator[tuple]:
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


def _probabilities(params: dict, x: np.ndarray) -> np.ndarray:
    """Run the network on one tile (C, H, W) on its device; return the softmax over the classes, (K, OH, OW)."""
    xp = array_module(params["head"]["bias"])
    logits = unet_forward(params, xp.asarray(x[None]))[0][0]  # (K, OH, OW)
    p = xp.exp(logits - logits.max(axis=0))
    return to_host(p / p.sum(axis=0))


def _equal_parts(size: tuple[int, int], depth: int) -> tuple[int, int]:
    """Return the input tile (height, width) of which few cover the size, with outputs of LARGEST at most."""
    step = 2**depth
    parts = [-(-n // -(-n // LARGEST)) for n in size]  # rounded up, twice
    return tuple(smallest_input_size(-(-n // step) * step, depth) for n in parts)


def predict_samples(params, normalisation, samples: list[Sample], **options) -> list[np.ndarray]:
    """Return the probabilities (K, H, W) of each sample; `options` as for `predict`."""
    images = [sample.image for sample in samples]
    return [predict(params, x, normalisation=normalisation_of(x, normalisation), **options) for x in images]
