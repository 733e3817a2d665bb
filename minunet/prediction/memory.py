"""About how many bytes the prediction of an image takes on a CPU, and the largest tile with which it fits.

4 C      for each pixel: the image, float32
4 K      the probabilities, float32; and K is the number of classes
12       at most, to write the results: the cells' numbers, and a picture of three colours
4 C + 8  while the image is normalised: it is clipped, and the variance is computed in float64, channel by channel
the tile with which the network runs, or the tiles, if it is small and works on several at once
"""

import math
from collections.abc import Iterable, Sequence

from minunet.backend import Params
from minunet.network.memory_needed import check_memory, forward_bytes, network_of, smaller_tile
from minunet.network.sizes import output_size
from minunet.network.tiles_at_once import tiles_at_once
from minunet.prediction.predict import default_tile

SMALL = 4  # bytes for each pixel: a picture of grey values, and its compressed form


def predict_bytes(params: Params, shapes: Iterable[Sequence[int]], tile: int | None = None, writing: int = 0) -> int:
    """Return how many bytes it takes to predict images (C, H, W) of these shapes, one after the other.

    Only images with fewer tiles than are worked on at once are held together. `writing` is how many bytes for each
    pixel are needed to write the results.
    """
    shapes = list(shapes)
    return max(_bytes_for_one(params, shape, tile, writing, len(shapes)) for shape in shapes)


def _bytes_for_one(params: Params, shape: Sequence[int], tile: int | None, writing: int, count: int) -> int:
    """Return it for an image of this shape, with as many more as are predicted with it, `count` at most."""
    (C, H, W), network = shape, network_of(params)
    height, width = (tile, tile) if tile else default_tile((H, W), network["depth"])
    tiles, at_once = _count_of_tiles(shape, tile, network["depth"]), tiles_at_once(params, height, width)
    images = min(count, math.ceil(at_once / tiles))
    results = (4 * network["num_classes"] * images + writing) * H * W
    running = results + forward_bytes(height, width, min(at_once, images * tiles), **network)
    return images * 4 * C * H * W + max((4 * C + 8) * H * W, running)


def check_prediction(
    what: str,
    params: Params,
    shapes: Iterable[Sequence[int]],
    tile: int | None = None,
    writing: int = 0,
    reading: int = 0,
    held: int = 0,
) -> int:
    """Return how many bytes it takes; raise InputError if so much is not free, with the largest tile that would fit.

    That is `predict_bytes` or, if it is more, the bytes to read an image; `held` bytes are there all the time.
    """
    shapes, depth = list(shapes), len(params["encode"])

    def needed(tile: int | None) -> int:
        return max(reading, held + predict_bytes(params, shapes, tile, writing))

    otherwise = "close other programs, or cut the image up" + (
        ", or write --only probability" if writing > SMALL else ""
    )
    below = tile or max(_largest_default_tile(shapes, depth))
    check_memory(what, needed(tile), smaller_tile(needed, below, depth, otherwise))
    return needed(tile)


def _largest_default_tile(shapes: list[Sequence[int]], depth: int) -> tuple[int, int]:
    return max((default_tile((H, W), depth) for _, H, W in shapes), key=lambda tile: tile[0] * tile[1])


def _count_of_tiles(shape: Sequence[int], tile: int | None, depth: int) -> int:
    """Return how many tiles cover an image (C, H, W), not turned."""
    _, H, W = shape
    sizes = (tile, tile) if tile else default_tile((H, W), depth)
    outputs = [output_size(n, depth) // 2**depth * 2**depth for n in sizes]
    return math.prod(math.ceil(n / output) for n, output in zip((H, W), outputs, strict=True))
