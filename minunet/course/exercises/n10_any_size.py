"""The exercises of notebook 10: the mirror, the places of tiles, and putting them together."""

import numpy as np

from minunet.course.exercise import Exercise

rng = np.random.default_rng(10)


def mirror_index(index, size):
    period = max(1, 2 * (size - 1))
    index = index % period
    return np.minimum(index, (period - index) % period)


def index_with_the_edge_repeated(index, size):
    index = index % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)


def index_folded_once(index, size):
    index = np.abs(index)
    return np.where(index < size, index, 2 * (size - 1) - index)


def index_held_at_the_edge(index, size):
    return np.clip(index, 0, size - 1)


def index_wrapped_around(index, size):
    return index % size


def tile_places(size, output):
    starts = np.arange(0, size, output)
    return starts, np.minimum(output, size - starts)


def places_without_the_rest(size, output):
    starts = output * np.arange(size // output)
    return starts, np.full(len(starts), output)


def places_of_whole_tiles(size, output):
    starts = np.arange(0, size, output)
    return starts, np.full(len(starts), output)


def places_pushed_inside(size, output):
    starts = np.minimum(np.arange(0, size, output), size - output)
    return starts, np.full(len(starts), output)


def stitch(tiles, corners, H, W):
    out = np.zeros((tiles[0].shape[0], H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        window = out[:, top : top + tile.shape[1], left : left + tile.shape[2]]
        window[...] = tile[:, : window.shape[1], : window.shape[2]]
    return out


def stitched_with_the_far_end(tiles, corners, H, W):
    """Keep the last rows and columns of a tile that goes beyond the image, in place of the first."""
    out = np.zeros((tiles[0].shape[0], H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        window = out[:, top : top + tile.shape[1], left : left + tile.shape[2]]
        window[...] = tile[:, tile.shape[1] - window.shape[1] :, tile.shape[2] - window.shape[2] :]
    return out


def stitched_with_swapped_corners(tiles, corners, H, W):
    return stitch(tiles, [(left, top) for top, left in corners], H, W)


def stitched_transposed(tiles, corners, H, W):
    return stitch([tile.swapaxes(1, 2) for tile in tiles], corners, H, W)


def tiling(K: int, H: int, W: int, height: int, width: int) -> tuple:
    """Return (tiles, corners, H, W): tiles (K, height, width) of whole numbers that cover an image (H, W)."""
    corners = [(top, left) for top in range(0, H, height) for left in range(0, W, width)]
    return rng.integers(1, 10, (len(corners), K, height, width)).astype(float), corners, H, W


def random_tiling(*sizes: int) -> tuple:
    tiles, *rest = tiling(*sizes)
    return [rng.random(tile.shape) for tile in tiles], *rest


EXERCISES = [
    Exercise(
        "mirror_index",
        solution=mirror_index,
        outputs=("index",),
        args=(np.arange(-3, 6), 3),
        more=(
            (np.arange(-30, 40), 7),
            (np.arange(-9, 9), 2),
            (np.arange(-3, 5), 1),
            (rng.integers(-50, 50, (4, 3)), 11),
        ),
        mistakes={
            "the edge pixel is repeated: after 2 1 0 comes 1, the mirror stands on the pixel": (
                index_with_the_edge_repeated
            ),
            "it is folded only once: farther out, there is a mirror behind the mirror": index_folded_once,
            "outside, it stays at the edge pixel: it should turn round and walk back": index_held_at_the_edge,
            "it starts again from the other side: it should turn round and walk back": index_wrapped_around,
        },
        hint="for size 3, the walk 0 1 2 1 repeats: its period is 2 * (size - 1), and its second half goes backwards",
    ),
    Exercise(
        "tile_places",
        solution=tile_places,
        outputs=("starts", "lengths"),
        args=(10, 4),
        more=((12, 4), (100, 36), (5, 8), (9, 1), (37, 6), (64, 64)),
        mistakes={
            "the last tile is missing, and the image's last pixels with it": places_without_the_rest,
            "the last tile is kept whole, though a part of it is outside the image": places_of_whole_tiles,
            "the last tile is pushed back into the image: then it lies on its neighbour, and off the grid of pools": (
                places_pushed_inside
            ),
        },
        hint="starts are 0, output, 2 * output ... below size; a length is what is left of the image, at most output",
    ),
    Exercise(
        "stitch",
        solution=stitch,
        outputs=("out",),
        args=tiling(1, 5, 7, 3, 3),
        more=(tiling(2, 5, 7, 3, 4), tiling(3, 8, 4, 4, 2), random_tiling(1, 6, 5, 4, 3), random_tiling(4, 2, 2, 5, 6)),
        mistakes={
            "of a tile that goes beyond the image, the first rows and columns are inside, not the last": (
                stitched_with_the_far_end
            ),
            "rows and columns of the corners are swapped: a corner is (top, left)": stitched_with_swapped_corners,
            "rows and columns of the tiles are swapped": stitched_transposed,
        },
        hint="each tile belongs at out[:, top : top + height, left : left + width], cut off where the image ends",
    ),
]
