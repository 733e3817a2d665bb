"""One number for each cell, though the image was labelled block by block.

Each block numbers its own cells from 1. Where two blocks meet, a cell on one side of the seam and a cell on the other
side are the same cell if they touch. So the cells of all blocks are the nodes of a graph, the contacts at the seams are
its edges, and the cells of the whole image are its connected components:

    local    scipy.ndimage.label in each block               1, 2, ... in every block
    number   local + the cells of all blocks before it       every number once
    join     scipy.sparse.csgraph.connected_components       one number for the parts of a cell

Only the lines of pixels along the seams, and the number of cells in each block, are brought together in one place.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from minunet.metrics.regions import components
from minunet.scale.extras import need


class Contacts(NamedTuple):
    """Which cells of two blocks touch."""

    blocks: tuple[int, int]
    pairs: np.ndarray  # (n, 2): their numbers, each in its own block


def label_cells(cell):
    """Return the 4-connected components of a boolean Dask array (H, W): 1, 2, ..., 0 for background.

    The result, int32, is a Dask array with the same blocks. It equals `scipy.ndimage.label` of the whole image, except
    for the order of the numbers.
    """
    dask = need("dask")
    local = cell.map_blocks(components, dtype=np.int32, meta=np.empty((0, 0), np.int32))
    counts, contacts = seams(local)
    return _renumbered(local, counts, dask.delayed(join)(counts, contacts))


def seams(local) -> tuple[list, list]:
    """Return the number of cells in each block, row by row, and the `Contacts` of neighbours, all not computed yet."""
    dask = need("dask")
    grid = local.to_delayed()
    counts = [dask.delayed(_count)(block) for block in grid.ravel()]
    rows, columns = grid.shape
    contacts = []
    for i, j in itertools.product(range(rows), range(columns)):
        for below, right in ((1, 0), (0, 1)):
            if i + below < rows and j + right < columns:
                blocks = i * columns + j, (i + below) * columns + j + right
                edges = (grid[i, j], -1), (grid[i + below, j + right], 0)
                lines = [dask.delayed(_line)(block, place, axis=right) for block, place in edges]
                contacts.append(dask.delayed(_contacts)(*lines, blocks))
    return counts, contacts


def join(counts: Sequence[int], contacts: Sequence[Contacts]) -> np.ndarray:
    """Return the number in the whole image of every cell: those of the first block, of the second, and so on."""
    first = np.cumsum([0, *counts])  # a block's cell n is node first[block] + n - 1 of the graph
    pairs = [first[list(blocks)] + pairs - 1 for blocks, pairs in contacts if len(pairs)]
    a, b = np.concatenate(pairs).T if pairs else np.empty((2, 0), int)
    total = int(first[-1])
    graph = scipy.sparse.coo_array((np.ones(len(a), bool), (a, b)), (total, total))
    _, components_of_graph = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return (components_of_graph + 1).astype(np.int32)


def of_one_class(contacts: Sequence[Contacts], counts: np.ndarray) -> list[Contacts]:
    """Return the contacts without those between cells of different classes.

    `counts` (blocks, classes) says how many cells of each class a block has. They are numbered class by class.
    """
    last = np.cumsum(counts, axis=1)  # the number of the last cell of each class
    kept = []
    for blocks, pairs in contacts:
        a, b = (np.searchsorted(last[block], numbers) for block, numbers in zip(blocks, pairs.T, strict=True))
        kept.append(Contacts(blocks, pairs[a == b]))
    return kept


def _renumbered(local, counts: list, numbers):
    """Return the Dask array with the numbers of the whole image."""
    da, dask = need("dask.array"), need("dask")
    tables = dask.delayed(_tables)(counts, numbers)
    rows, columns = local.numblocks
    parts = [dask.delayed(_look_up)(tables[k], block) for k, block in enumerate(local.to_delayed().ravel())]
    shapes = itertools.product(*local.chunks)
    arrays = [
        da.from_delayed(part, shape, meta=np.empty((0, 0), np.int32)) for part, shape in zip(parts, shapes, strict=True)
    ]
    return da.block([arrays[i * columns : (i + 1) * columns] for i in range(rows)])


def _tables(counts: list[int], numbers: np.ndarray) -> list[np.ndarray]:
    """Return for each block the numbers of its cells 0 (background), 1, 2, ..."""
    bounds = itertools.pairwise(np.cumsum([0, *counts]))
    return [np.concatenate([[0], numbers[start:stop]]).astype(np.int32) for start, stop in bounds]


def _count(block: np.ndarray) -> int:
    return int(block.max(initial=0))


def _line(block: np.ndarray, place: int, axis: int) -> np.ndarray:
    """Return a copy of the first or last row (axis 0) or column (axis 1) of a block."""
    return block.take(place, axis)


def _contacts(edge: np.ndarray, other: np.ndarray, blocks: tuple[int, int]) -> Contacts:
    touching = (edge > 0) & (other > 0)
    return Contacts(blocks, np.unique(np.stack([edge[touching], other[touching]], axis=1), axis=0))


def _look_up(table: np.ndarray, block: np.ndarray) -> np.ndarray:
    return table[block]
