"""Many small arrays as one: what is done to all of them then takes one call, or one kernel, whatever their number."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minunet.backend import Array, array_module, flatten
from minunet.fast.cpu import memory
from minunet.fast.cuda import gather as on_gpu
from minunet.fast.cuda import loader
from minunet.fast.environment import kernels_are_allowed


def concatenated(arrays: Sequence[Array]) -> Array:
    """Return the elements of all arrays, one array after the other, (size,), in the first one's dtype."""
    xp, dtype = array_module(arrays[0]), arrays[0].dtype
    if xp is not np and kernels_are_allowed() and loader.compiles(on_gpu.SOURCE, arrays[0]):
        return on_gpu.gather(arrays)
    parts = [x.ravel().astype(dtype, copy=False) for x in arrays]
    return xp.concatenate(parts, out=memory.empty((sum(x.size for x in parts),), dtype, xp))


def in_one_array(tree: Any) -> Array:
    """Return a flat array of which the arrays of a tree are views, one after the other.

    If they are no such views, they are copied into a new flat array, and views of that take their places in the tree.

    Parameters
    ----------
    tree : nested dicts and lists of arrays of one dtype
    """
    arrays = list(flatten(tree).values())
    whole = _array_around(arrays)
    if whole is None:
        whole = concatenated(arrays)
        _replace(tree, _views(whole, arrays))
    return whole


def _array_around(arrays: list[Array]) -> Array | None:
    """Return the flat array that the arrays make up, if each begins in memory where the one before it ends."""
    base, dtype = arrays[0].base, arrays[0].dtype
    if base is None or base.ndim != 1 or base.dtype != dtype or not base.flags.c_contiguous:
        return None
    here = _address(arrays[0])
    start = (here - _address(base)) // dtype.itemsize
    for x in arrays:
        if _address(x) != here or x.dtype != dtype or not x.flags.c_contiguous:
            return None
        here += x.nbytes
    stop = start + sum(x.size for x in arrays)
    return base[start:stop] if stop <= base.size else None


def _address(x: Array) -> int:
    """Return where in memory the first element is."""
    return x.ctypes.data if isinstance(x, np.ndarray) else loader.address(x)


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
