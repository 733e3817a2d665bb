"""The plan of a prediction: with which tiles each version of an image is predicted, and what each tile has to predict.

It is known before any pixel is read, so that the memory for it can be worked out; see `memory.py`.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from minunet.network.sizes import output_size, smallest_input_size
from minunet.prediction.checks import check_tile
from minunet.prediction.rotations import Version, block, versions

LARGEST = 512  # pixels: the output of a tile is at most this large, unless the caller says otherwise

Tile = tuple[int, int]  # height and width of the network's input
Plan = list[tuple[Version, Tile]]  # each version of the image, and the tile for it
Window = tuple[Version, Tile, int, int, int, int]  # version, tile, top, left, height, width


def make_plan(size: Sequence[int], tile: int | Tile | None, rotations: int, depth: int) -> Plan:
    """Return the versions of an image of this size (height, width), and the tile for each: `tile`, or a default one.

    Raises
    ------
    InputError
        If the tile does not fit the network, or there are no so many rotations.
    """
    H, W = size
    given = None if tile is None else check_tile(tile, depth)
    return [(version, given or default_tile(version.turned_size, depth)) for version in versions(rotations, (H, W))]


def default_tile(size: np.ndarray | Sequence[int], depth: int) -> Tile:
    """Return an input tile (height, width) whose outputs cover `size` in few, nearly equal parts of at most LARGEST."""
    height, width = size
    return _default_length(height, depth), _default_length(width, depth)


def _default_length(length: int, depth: int) -> int:
    """Return the height or the width of the default tile."""
    step = 2**depth
    parts = math.ceil(length / LARGEST)
    output = math.ceil(length / parts)
    return smallest_input_size(step * math.ceil(output / step), depth)


def largest_tile(plan: Plan) -> Tile:
    """Return the tile with the most pixels."""
    return max((tile for _, tile in plan), key=math.prod)


def output_windows(plan: Plan, depth: int) -> Iterator[Window]:
    """Yield (version, tile, top, left, height, width): the window of a version that a tile is to predict."""
    for version, tile in plan:
        height, width = (output_size(n, depth) // 2**depth * 2**depth for n in tile)
        for top in range(0, version.turned_size[0], height):
            for left in range(0, version.turned_size[1], width):
                if block(version, top, left, height, width):  # the corners of a turned version hold nothing
                    yield version, tile, top, left, height, width
