"""A batch of tiles, and the processes that may share it.

The gradient of a batch is the mean of the gradients of its tiles. So it does not matter where each one is computed:
one process takes the tiles one after the other, or several processes, called ranks, take some each and add up.

Batch normalisation is the exception: its mean and variance are those of all that goes through the network at once. Of a
single tile they say more about that image than about the data. Those of a whole batch would make the ranks wait for
each other in every layer. So tiles go through the network in pairs, whoever computes them; each alone if their number
is odd. (Hoffer, Hubara and Soudry, "Train longer, generalize better", 2017, take small batches within large ones, too.)

A sum of floating-point numbers depends on the order of the additions. Here the order is that of a knock-out contest:
first the neighbours 0 + 1, 2 + 3, ..., then the neighbours among the sums. Ranks that take 1, 2, 4, ... tiles each
play the first rounds among themselves and the last ones together, and the result is the same, bit for bit.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minunet.backend import Array, array_module, flatten
from minunet.errors import InputError
from minunet.fast.one_array import concatenated

PAIR = 2


class Ranks(NamedTuple):
    """The processes that train one network together; by default this one alone."""

    rank: int = 0  # the number of this process
    size: int = 1  # how many there are
    sum: Callable[[Array], Array] = lambda vector: vector  # over all ranks, in the order of the contest
    gather: Callable[[object], list] = lambda thing: [thing]  # what each rank has, on every rank
    abort: Callable[[int], None] = lambda code: None  # end all ranks at once

    def tiles(self, step: int, batch: int) -> range:
        """Return the numbers of the tiles of a step that this rank takes."""
        share = batch // self.size
        first = step * batch + self.rank * share
        return range(first, first + share)


ALONE = Ranks()


def check_batch(batch: int, ranks: Ranks, is_normalised: bool = False) -> None:
    """Raise InputError unless each rank gets as many tiles as the others, and whole pairs."""
    passes = batch // together(batch, is_normalised)
    if passes % ranks.size:
        fitting = [n for n in range(1, passes + 1) if passes % n == 0]
        what = f"a batch of {batch}" if passes == batch else f"a batch of {batch}, {passes} pairs of tiles,"
        raise InputError(
            f"{what} must be shared equally by the processes, got {ranks.size}; start "
            f"{', '.join(map(str, fitting))} of them, or train with another --batch"
        )


def together(count: int, is_normalised: bool) -> int:
    """Return how many of so many tiles go through the network together, so that their normalisation has one mean."""
    return PAIR if is_normalised and count % PAIR == 0 else 1


def stacked(tiles: Sequence[tuple]) -> tuple[Array, Array, Array | None]:
    """Return tiles, as `draw_tile` does, as one batch: x (N, C, tile, tile), labels (N, output, output), and weights.

    The weights are like the labels; None if no tile has any, and 1 for a tile that has none beside others that do.
    """
    if len(tiles) == 1:  # without a copy, which on a GPU is a launch for each array
        image, label, weight = tiles[0]
        return image[None], label[None], None if weight is None else weight[None]
    images, labels, weights = zip(*tiles, strict=True)
    xp = array_module(images[0])
    if all(w is None for w in weights):
        return xp.stack(images), xp.stack(labels), None
    ones = xp.ones(labels[0].shape, images[0].dtype)
    return xp.stack(images), xp.stack(labels), xp.stack([ones if w is None else w for w in weights])


def mean_gradient(tiles: Sequence[tuple], ranks: Ranks) -> tuple[Any, ...]:
    """Return the mean loss and the mean gradients, by their dotted names, over all tiles of all ranks.

    `tiles` holds the loss and the gradients of each tile of this rank, or of each pair; and, where a network has batch
    normalisation, the statistics, whose mean is returned, too. All numbers travel in one vector, so that the ranks
    wait for each other only once in a step.
    """
    if len(tiles) == ranks.size == 1:
        loss, *trees = tiles[0]
        return loss, *map(flatten, trees)
    vectors = [_as_vector(*tile) for tile in tiles]
    mean = ranks.sum(pairwise_sum(vectors))
    mean /= len(vectors) * ranks.size
    means: list[dict[str, Array]] = []
    start = 1
    for tree in tiles[0][1:]:
        means.append({})
        for name, x in flatten(tree).items():
            means[-1][name] = mean[start : start + x.size].reshape(x.shape)
            start += x.size
    return mean[0], *means


def _as_vector(loss: Array, *trees: dict) -> Array:
    parts = [x for tree in trees for x in flatten(tree).values()]
    return concatenated([loss.reshape(1).astype(parts[0].dtype), *parts])


def pairwise_sum(vectors: Sequence[Array]) -> Array:
    """Return the sum of all vectors: of neighbours first, then of neighbouring sums, and so on.

    It is added up in the first vector, and parts of it in others: a large network's take too long to make anew.
    """
    while len(vectors) > 1:
        for a, b in zip(vectors[::2], vectors[1::2], strict=False):
            a += b
        vectors = vectors[::2]
    return vectors[0]
