"""Overlap-tile (Fig. 2): an image of any size through a network that sees one tile at a time.

To predict an output tile the network must see more: the border that valid convolutions take off, on every side.
Where that border lies outside the image, the image is mirrored. The output tiles stand side by side without overlap,
so every pixel is predicted once, and its value does not depend on the tile:

    x[c, h - border / 2 ...]  ->  network  ->  logits[k, h ...]  ->  p[k, h ...] = softmax over k

That holds only if all tiles pool the same windows of the image: the places of the tiles are multiples of 2**depth.
"""

import numpy as np
from tqdm import tqdm

from minunet.backend import array_module, to_host
from minunet.data.tiles import cut
from minunet.errors import InputError
from minunet.shapes import border, output_size, smallest_input_size
from minunet.unet import unet_forward

ONE_SHOT = 512  # pixels: up to this size an image is predicted in one tile, unless the caller says otherwise
TURNS = {1: [(0, False)], 4: [(k, False) for k in range(4)], 8: [(k, flip) for flip in (False, True) for k in range(4)]}


def predict(params: dict, image: np.ndarray, tile=None, rotations: int = 1, progress: bool = False) -> np.ndarray:
    """Return the probability of each class at every pixel.

    Parameters
    ----------
    params : as from `init_unet`; the prediction runs in their dtype, on their device
    image : array, (H, W) or (C, H, W), any size
        Normalised as in training; see `minunet.data.normalise`.
    tile : int or (height, width), optional
        Input size of the network. It changes the memory that is needed, not the result.
    rotations : 1, 4 or 8
        Average over that many orientations: none, the quarter turns, or all symmetries of the square.
    progress : bool
        Show a progress bar by tiles.

    Returns
    -------
    probabilities : array on the host, (K, H, W)

    Raises
    ------
    InputError
        If the image does not fit the network or holds NaN, the tile is too small, or rotations is not 1, 4 or 8.
    """
    if rotations not in TURNS:
        raise InputError(f"rotations must be 1, 4 (quarter turns) or 8 (and mirrored), got {rotations}; 1 is quickest")
    image = _checked_image(image, params)
    orientations = [np.rot90(_flipped(image, flip), turns, axes=(1, 2)) for turns, flip in TURNS[rotations]]
    plans = [_tiles(turned.shape[1:], _tile_size(tile, turned.shape[1:], params), params) for turned in orientations]
    total = 0.0
    with tqdm(total=sum(map(len, plans)), unit="tile", disable=None if progress else True, leave=False) as bar:
        for (turns, flip), turned, plan in zip(TURNS[rotations], orientations, plans, strict=True):
            probabilities = _predict_tiles(params, turned, plan, bar)
            total = total + _flipped(np.rot90(probabilities, -turns, axes=(1, 2)), flip)
    return np.ascontiguousarray(total / rotations)


def _predict_tiles(params: dict, image: np.ndarray, plan: list, bar) -> np.ndarray:
    """Return the probabilities of one image, (K, H, W), put together from tiles."""
    depth, bias = len(params["encode"]), params["head"]["bias"]
    margin = border(depth) // 2
    probabilities = np.empty((len(bias), *image.shape[1:]), bias.dtype)
    for top, left, height, width, tile in plan:
        x = cut(image, top - margin, left - margin, *tile)  # (C, *tile)
        logits, _ = unet_forward(params, array_module(bias).asarray(x[None], bias.dtype))  # (1, K, output, output)
        p = to_host(_softmax(logits[0]))
        probabilities[:, top : top + height, left : left + width] = p[:, :height, :width]
        bar.update()
    return probabilities


def _tiles(size: tuple[int, int], tile: tuple[int, int], params: dict) -> list[tuple]:
    """Return (top, left, height, width, tile) of every tile: the part of the image that it is to predict."""
    depth = len(params["encode"])
    steps = [output_size(n, depth) // 2**depth * 2**depth for n in tile]
    starts = [range(0, n, step) for n, step in zip(size, steps, strict=True)]
    return [
        (top, left, min(steps[0], size[0] - top), min(steps[1], size[1] - left), tile)
        for top in starts[0]
        for left in starts[1]
    ]


def _tile_size(tile, size: tuple[int, int], params: dict) -> tuple[int, int]:
    """Return the input tile (height, width): as asked for, or one that covers the image up to ONE_SHOT."""
    depth = len(params["encode"])
    step = 2**depth
    smallest = smallest_input_size(step, depth)
    if tile is None:
        return tuple(smallest_input_size(-(-min(n, ONE_SHOT) // step) * step, depth) for n in size)
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


def _checked_image(image, params: dict) -> np.ndarray:
    """Return the image as (C, H, W), on the host."""
    image = to_host(image) if hasattr(image, "dtype") else np.asarray(image)
    image = image[None] if image.ndim == 2 else image
    channels = params["encode"][0]["conv1"]["weight"].shape[1]
    if image.ndim != 3 or len(image) != channels or not image.size:
        expected = "(H, W) or (1, H, W)" if channels == 1 else f"({channels}, H, W)"
        raise InputError(
            f"image must have shape {expected} for this network, got {image.shape}; convert it, or train "
            "a network on images like it"
        )
    if not np.isfinite(image).all():
        raise InputError(
            f"image must be finite, got NaN or infinity in {np.count_nonzero(~np.isfinite(image))} values; "
            "replace them, with numpy.nan_to_num for example"
        )
    return image


def _softmax(logits):
    xp = array_module(logits)
    p = xp.exp(logits - logits.max(axis=0))  # (K, H, W)
    return p / p.sum(axis=0)


def _flipped(image: np.ndarray, flip: bool) -> np.ndarray:
    return image[..., ::-1] if flip else image
