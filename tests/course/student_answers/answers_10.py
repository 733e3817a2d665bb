"""Answers to the exercises of notebook 10."""

import numpy as np

from student_answers.common import RIGHT


def mirror_by_pad(index, size):
    if size == 1:
        return np.zeros_like(index)
    far = int(np.abs(index).max()) + size
    return np.pad(np.arange(size), far, mode="reflect")[index + far]


def stitched_pixel_by_pixel(tiles, corners, H, W):
    out = np.zeros((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        for k, h, w in np.ndindex(tile.shape):
            if top + h < H and left + w < W:
                out[k, top + h, left + w] = tile[k, h, w]
    return out


def stitched_of_whole_tiles(tiles, corners, H, W):
    out = np.zeros((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        out[:, top : top + tile.shape[1], left : left + tile.shape[2]] = tile
    return out


ANSWERS = [
    ("mirror_index", mirror_by_pad, RIGHT),
    ("mirror_index", lambda index, size: np.abs(index) % size, "index differs"),
    (
        "tile_places",
        lambda size, output: np.array([(start, min(output, size - start)) for start in range(0, size, output)]).T,
        RIGHT,
    ),
    (
        "tile_places",
        lambda size, output: list(
            zip(*((start, min(output, size - start)) for start in range(0, size, output)), strict=True)
        ),
        RIGHT,
    ),
    ("stitch", stitched_pixel_by_pixel, RIGHT),
    ("stitch", stitched_of_whole_tiles, "it stops with ValueError"),
]
