"""About how many bytes the prediction of an image takes on a CPU, and the largest tile with which it fits.

4 C      for each pixel: the image, float32, where a command reads it; `predict` is given an image that is there already
4 K      the probabilities, float32; K is the number of classes. None, if `predict` is to write them to a file
12       at most, to write the results: the cells' numbers, and a picture of three colours
4 C + 8  while the image is normalised: it is clipped, and the variance is computed in float64, channel by channel
the tile with which the network runs, or the tiles, if it is small and works on several at once
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from minunet.backend import Params, array_module
from minunet.fast.cpu import parallel
from minunet.network.memory_needed import check_memory, forward_bytes, network_of, smaller_tile
from minunet.network.tiles_at_once import tiles_at_once
from minunet.prediction.plan import Plan, Tile, largest_tile, make_plan, output_windows

SMALL = 4  # bytes for each pixel: a picture of grey values, and its compressed form
WORTH_ASKING = 1e8  # bytes: to find out how much is free takes as long as a small prediction


class PerPixel(NamedTuple):
    """What a prediction takes for each pixel of an image, in bytes."""

    image: int  # of each image that is held together with others
    normalising: int  # before the network runs
    result: int  # the probabilities of each image that is held
    writing: int  # after it has run, for one image at a time


def predict_bytes(
    params: Params,
    shapes: Iterable[Sequence[int]],
    tile: int | None = None,
    writing: int = 0,
    rotations: int = 1,
    reading: bool = True,
) -> int:
    """Return how many bytes it takes to predict images (C, H, W) of these shapes, one after the other.

    Only images with fewer tiles than are worked on at once are held together. `writing` is how many bytes for each
    pixel are needed to write the results. With `reading` False, all images are in memory already, and do not count.
    """
    shapes, depth, result = list(shapes), len(params["encode"]), params["head"]["bias"].nbytes

    def needed(C: int, H: int, W: int) -> int:
        per_pixel = PerPixel(4 * C if reading else 0, 4 * C + 8, result, writing)
        return _bytes_of(params, (H, W), make_plan((H, W), tile, rotations, depth), per_pixel, len(shapes))

    return max(needed(*shape) for shape in shapes)


def _bytes_of(
    params: Params, size: Sequence[int], plan: Plan, per_pixel: PerPixel, count: int = 1, at_once: int | None = None
) -> int:
    """Return it for an image of this size, with as many more as are predicted with it, `count` at most.

    So many tiles are worked on `at_once`: if it is not said, as many as are.
    """
    tile, pixels, bytes_of_a_number = largest_tile(plan), math.prod(size), params["head"]["bias"].dtype.itemsize
    at_once = at_once or tiles_at_once(params, *tile)
    windows = sum(1 for _ in islice(output_windows(plan, len(params["encode"])), at_once))  # more do not matter
    images = min(count, math.ceil(at_once / windows))
    network = forward_bytes(*tile, min(at_once, images * windows), **network_of(params)) * bytes_of_a_number // 4
    running = (images * per_pixel.result + per_pixel.writing) * pixels + network
    return images * per_pixel.image * pixels + max(per_pixel.normalising * pixels, running)


def check_prediction(
    what: str,
    params: Params,
    shapes: Iterable[Sequence[int]],
    tile: int | None = None,
    writing: int = 0,
    reading: int = 0,
    held: int = 0,
    rotations: int = 1,
) -> int:
    """Return how many bytes it takes; raise InputError if so much is not free, with the largest tile that would fit.

    That is `predict_bytes` or, if it is more, the bytes to read an image; `held` bytes are there all the time.
    """
    shapes, depth = list(shapes), len(params["encode"])

    def needed(tile: int | None) -> int:
        return max(reading, held + predict_bytes(params, shapes, tile, writing, rotations))

    otherwise = "close other programs, or cut the image up" + (
        ", or write --only probability" if writing > SMALL else ""
    )
    below = max(max(largest_tile(make_plan((H, W), tile, rotations, depth))) for _, H, W in shapes)
    check_memory(what, needed(tile), smaller_tile(needed, below, depth, otherwise))
    return needed(tile)


def check_memory_for(
    params: Params,
    shape: Sequence[int],
    tile: int | Tile | None,
    rotations: int,
    is_normalised_as_a_whole: bool,
    is_kept: bool,
) -> None:
    """Raise InputError if a CPU has no memory for `predict` on an image (C, H, W), which is there already.

    `is_normalised_as_a_whole` tells that its own mean and standard deviation are worked out first, and `is_kept` that
    the result is kept in memory, and not written to a file.
    """
    bias, (C, H, W), depth = params["head"]["bias"], shape, len(params["encode"])
    if array_module(bias) is not np:
        return
    per_pixel = PerPixel(0, 4 * C + 8 if is_normalised_as_a_whole else 0, bias.nbytes if is_kept else 0, 0)

    def needed(tile: int | Tile | None, at_once: int | None = None) -> int:
        return _bytes_of(params, (H, W), make_plan((H, W), tile, rotations, depth), per_pixel, 1, at_once)

    if needed(tile, at_once=parallel.threads()) > WORTH_ASKING:  # as many as there can be
        below = max(largest_tile(make_plan((H, W), tile, rotations, depth)))
        check_memory("the prediction", needed(tile), smaller_tile(needed, below, depth, "predict a part of it"))
