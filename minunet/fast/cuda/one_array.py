"""Many small arrays as one: what is done to all of them then takes one kernel, whatever their number."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minunet.backend import Array, array_module, flatten
from minunet.fast.cuda.loader import contiguous, launch

SOURCE = "one_array"


def gather(arrays: Sequence[Array]) -> Array:
    """Return the elements of all arrays, one array after the other, (size,), in the first one's dtype.

    It is one kernel; CuPy's `concatenate` is one for each array if they are large.
    """
    xp, dtype = array_module(arrays[0]), arrays[0].dtype
    arrays = [contiguous(x, dtype) for x in arrays]
    sizes = [x.size for x in arrays]
    table = xp.asarray(np.array([[x.data.ptr for x in arrays], np.cumsum([0, *sizes[:-1]])], np.int64))
    y = xp.empty(sum(sizes), dtype)
    launch(SOURCE, "gather", y.size, y, table, y.size, len(arrays))
    return y


def in_one_array(tree: Any) -> Array:
    """Return the flat array of which the arrays of a tree are views, in their order.

    If they are no such views, they are copied into a new flat array, and views of that take their places in the tree.

    Parameters
    ----------
    tree : nested dicts and lists of CuPy arrays of one dtype
    """
    arrays = list(flatten(tree).values())
    whole = arrays[0].base
    if whole is None or not _is_made_of(whole, arrays):
        whole = gather(arrays)
        _replace(tree, _views(whole, arrays))
    return whole


def _is_made_of(whole: Array, arrays: list[Array]) -> bool:
    """Return whether the arrays are views of `whole`, one after the other, and cover it."""
    if whole.ndim != 1 or whole.size != sum(x.size for x in arrays):
        return False
    address = whole.data.ptr
    for x in arrays:
        if x.data.ptr != address or x.dtype != whole.dtype or not x.flags.c_contiguous:
            return False
        address += x.nbytes
    return True


def _views(whole: Array, arrays: list[Array]) -> Iterator[Array]:
    start = 0
    for x in arrays:
        yield whole[start : start + x.size].reshape(x.shape)
        start += x.size


def _replace(tree: Any, arrays: Iterator[Array]) -> None:
    """Put these arrays in place of those of the tree, in the order of `flatten`."""
    for name in list(tree) if isinstance(tree, dict) else range(len(tree)):
        if isinstance(tree[name], (dict, list)):
            _replace(tree[name], arrays)
        else:
            tree[name] = next(arrays)
