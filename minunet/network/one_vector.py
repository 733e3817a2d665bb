"""All parameters of a network in one vector, of which its arrays are views: so an optimiser changes them all at once.

A small network has dozens of arrays of a few hundred numbers. To go through them one by one takes longer than the
arithmetic.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minunet.backend import Array, array_module, flatten, map_tree


def in_one_vector(tree: Any) -> Any:
    """Copy the arrays of a tree into one vector; return the same tree of views of it.

    A tree on a GPU, or with arrays of several dtypes, is returned as it is.
    """
    arrays = list(flatten(tree).values())
    if any(array_module(array) is not np for array in arrays) or len({array.dtype for array in arrays}) != 1:
        return tree
    vector = np.concatenate([array.ravel() for array in arrays])
    ends = itertools.accumulate(array.size for array in arrays)
    views = (vector[end - array.size : end].reshape(array.shape) for array, end in zip(arrays, ends, strict=True))
    return map_tree(lambda array: next(views), tree)


def vector_of(arrays: Sequence[Array]) -> Array | None:
    """Return the piece of a vector that holds these arrays, one after the other; None if there is no such vector."""
    vector = getattr(arrays[0], "base", None)
    if not isinstance(vector, np.ndarray) or vector.ndim != 1 or not vector.flags.c_contiguous:
        return None
    first = expected = _address(arrays[0])
    for array in arrays:
        is_next = array.base is vector and array.flags.c_contiguous and _address(array) == expected
        if not is_next or array.dtype != vector.dtype:
            return None
        expected += array.nbytes
    start, stop = ((address - _address(vector)) // vector.itemsize for address in (first, expected))
    return vector[start:stop]


def sum_of_trees(trees):
    """Sum, pairwise."""
    vectors = [np.concatenate([a.ravel() for a in flatten(t).values()]) for t in trees]
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=False)
        left_over = vectors[len(vectors) // 2 * 2 :]
        vectors = [*(a + b for a, b in pairs), *left_over]
    arrays = list(flatten(trees[0]).values())
    ends = itertools.accumulate(array.size for array in arrays)
    views = (vectors[0][end - array.size : end].reshape(array.shape) for array, end in zip(arrays, ends, strict=True))
    return map_tree(lambda array: next(views), trees[0])


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
