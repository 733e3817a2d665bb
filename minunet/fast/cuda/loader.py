"""Compile the CUDA sources beside this file, and launch their kernels.

A source is written once, and three things are put in front of it:

    real       float or double, the dtype of the arrays
    index_t    int, or long long where an array has 2**31 elements or more: a GPU divides ints several times as fast
    TILE       4, or 2 where products are done in TF32: the pixels of one of Winograd's tiles, see `tile_size`

CuPy compiles it with NVRTC, once for each type of GPU, and keeps the result in the user's home folder. A launch goes
to CuPy's current stream, and returns at once.
"""

import functools
import warnings
from pathlib import Path

import numpy as np

from minunet.backend import Array, array_module, tf32_is_allowed

REAL = {"float32": "float", "float64": "double"}
INDEX = {"int": np.int32, "long long": np.int64}
INT_LIMIT = 2**31  # an int ends below it
THREADS = 256  # of a block
NULL = np.uint64(0)  # a pointer to nothing; None would leave the kernel without its argument


def read(source: str, dtype: str, index: str, tile: int) -> str:
    """Return what the compiler reads of a source such as "pool", for a dtype of REAL, an index_t of INDEX, a TILE."""
    text = (Path(__file__).parent / f"{source}.cu").read_text(encoding="utf-8")
    types = f"typedef {REAL[dtype]} real; typedef {index} index_t;"
    return f'{types}\n#define TILE {tile}\n#line 1 "{source}.cu"\n{text}'


def tile_size(dtype) -> int:
    """Return how many pixels of y, along each axis, a tile of Winograd's has: F(4x4, 3x3) or F(2x2, 3x3).

    Large tiles save more multiplications, but magnify rounding: y is off by some 3e-6, which is nothing, in float32,
    but by 3e-3 in TF32, with its 10 bits after the point. With small tiles that is 4e-4, and 3e-4 without any
    (`python benchmarks/tf32.py`).
    """
    return 2 if np.dtype(dtype) == np.float32 and tf32_is_allowed() else 4


def compiles(source: str, x: Array) -> bool:
    """Return whether the kernels of `source` are there for arrays of the dtype of `x`.

    If they cannot be compiled, a warning says so, and why: one in all, for what keeps one from it keeps all. What has
    no compiler, as NumPy and the course's pretend GPU have none, is no surprise.
    """
    xp = array_module(x)
    return x.dtype.name in REAL and hasattr(xp, "RawModule") and _compiles(source, xp, x.dtype.name, tile_size(x.dtype))


def contiguous(x: Array, dtype) -> Array:
    """Return `x` as a kernel reads it: row after row, and of this dtype."""
    return array_module(x).ascontiguousarray(x, dtype).reshape(x.shape)  # NumPy would make one axis of none


def launch(source: str, name: str, threads: int, *args) -> None:
    """Run a kernel in at least so many threads; it is up to the kernel to stop the ones beyond.

    Parameters
    ----------
    source, name : str
        The kernel `name` of the file `source`.cu.
    threads : int
    args : contiguous CuPy arrays, the first of which has the dtype of the kernel; ints, which it takes as index_t;
        NULL
    """
    if not threads:
        return  # CUDA refuses an empty grid
    arrays = [x for x in args if not isinstance(x, (int, np.generic))]
    blocks = -(-threads // THREADS)
    largest = max(blocks * THREADS, *(x.size for x in arrays))  # no index is beyond either
    index = "int" if largest < INT_LIMIT else "long long"
    x = arrays[0]
    kernel = _kernel(source, name, array_module(x), x.dtype.name, index, tile_size(x.dtype))
    kernel((blocks,), (THREADS,), tuple(INDEX[index](x) if isinstance(x, int) else x for x in args))


@functools.cache
def _compiles(source: str, xp, dtype: str, tile: int) -> bool:
    try:
        _module(source, xp, dtype, "int", tile).compile()
    except Exception as error:  # of whatever kind: no compiler, no headers, a GPU too old, a mistake of ours
        _warn_once(xp, f"{source}.cu for {dtype}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return False
    return True


_warned = []  # of which modules


def _warn_once(xp, what: str) -> None:
    if xp not in _warned:
        _warned.append(xp)
        message = "the slower layers of minunet/layers take the place of CUDA kernels that do not compile"
        warnings.warn(f"{message}; the first was {what}", RuntimeWarning, stacklevel=2)


@functools.cache
def _kernel(source: str, name: str, xp, dtype: str, index: str, tile: int):
    return _module(source, xp, dtype, index, tile).get_function(name)


@functools.cache
def _module(source: str, xp, dtype: str, index: str, tile: int):
    return xp.RawModule(code=read(source, dtype, index, tile), options=("-std=c++17",))
