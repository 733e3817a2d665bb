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


def mirror_by_walking(index, size):
    out = []
    for i in np.ravel(index).tolist():
        i = abs(i)
        while not 0 <= i < size:
            i = abs(2 * (size - 1) - i) if size > 1 else 0
        out.append(i)
    return np.reshape(out, np.shape(index))


def mirror_by_a_triangle(index, size):
    return np.abs((index + size - 1) % (2 * size - 2) - (size - 1)) if size > 1 else 0 * index


def mirror_in_place(index, size):
    index[...] = mirror_by_a_triangle(index, size)
    return index


def mirror_by_minus(index, size):
    """Python counts -1 from the end."""
    return np.arange(size)[np.abs(index) % size]


def mirror_of_seven(index, size):
    return np.abs((index + 2) % 4 - 2)


def places_by_a_while(size, output):
    starts, lengths, start = [], [], 0
    while start < size:
        starts.append(start)
        lengths.append(output if start + output <= size else size - start)
        start += output
    return starts, lengths


def places_with_an_empty_tile(size, output):
    """size // output + 1: one too many where the tiles fit."""
    starts = output * np.arange(size // output + 1)
    return starts, np.minimum(output, size - starts)


def places_as_pairs(size, output):
    return [(start, min(output, size - start)) for start in range(0, size, output)]


def places_from_start_to_stop(size, output):
    starts = np.arange(0, size, output)
    return starts, np.minimum(starts + output, size)


def places_evenly(size, output):
    parts = np.array_split(np.arange(size), -(-size // output))
    return [part[0] for part in parts], [len(part) for part in parts]


def stitched_with_a_margin(tiles, corners, H, W):
    height, width = tiles[0].shape[1:]
    out = np.zeros((len(tiles[0]), H + height, W + width))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        out[:, top : top + height, left : left + width] = tile
    return out[:, :H, :W].copy()


def stitched_by_adding(tiles, corners, H, W):
    out = np.ones((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        out[:, top : top + tile.shape[1], left : left + tile.shape[2]] += tile[:, : H - top, : W - left]
    return out


def stitched_of_one_channel(tiles, corners, H, W):
    return stitched_with_a_margin([tile[:1] for tile in tiles], corners, H, W)


def stitched_in_the_order_of_the_list(tiles, corners, H, W):
    return stitched_with_a_margin(tiles, sorted(corners, key=lambda corner: corner[::-1]), H, W)


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
    ("mirror_index", mirror_by_walking, RIGHT),
    ("mirror_index", mirror_by_a_triangle, RIGHT),
    ("mirror_index", mirror_in_place, "it changes its argument index"),
    ("mirror_index", mirror_by_minus, "index differs"),
    ("mirror_index", mirror_of_seven, "the tiny case is right, but"),
    ("tile_places", places_by_a_while, RIGHT),
    ("tile_places", places_with_an_empty_tile, "the tiny case is right, but"),
    ("tile_places", places_as_pairs, "it should return 2 things"),
    ("tile_places", places_from_start_to_stop, "lengths differs"),
    ("tile_places", places_evenly, "starts differs"),
    ("stitch", stitched_with_a_margin, RIGHT),
    ("stitch", stitched_by_adding, "out differs"),
    ("stitch", stitched_of_one_channel, "the tiny case is right, but"),
    ("stitch", stitched_in_the_order_of_the_list, "out differs"),
]
