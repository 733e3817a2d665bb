"""Compile the CUDA sources beside this file, and launch their kernels.

Each source is compiled several times, with three definitions in front of it:

    real       float or double, the dtype of the arrays
    index_t    int, or long long where an array has nearly 2**31 elements: a GPU divides ints several times as fast
    TILE       4, or 2 where TF32 is allowed: the side of Winograd's tiles in pixels, see `tile_size`

CuPy compiles it with NVRTC, once for each type of GPU, and keeps the result in the user's home folder. A kernel runs on
CuPy's current stream, and its launch returns at once.
"""

import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, array_module
from minunet.gpu import tf32_is_allowed

REAL = {"float32": "float", "float64": "double"}
INDEX = {"int": np.int32, "long long": np.int64}
INT_LIMIT = 2**31 - 2**13  # an int ends at 2**31; kernels look some thousand elements ahead
THREADS = 256  # threads in a block, unless a kernel asks for another number
NULL = np.uint64(0)  # a null pointer; CuPy would drop an argument that is None


def read(source: str, dtype: str, index: str, tile: int) -> str:
    """Return a source such as "pool" as the compiler reads it: `dtype` is a key of REAL, `index` of INDEX."""
    text = (Path(__file__).parent / f"{source}.cu").read_text(encoding="utf-8")
    types = f"typedef {REAL[dtype]} real; typedef {index} index_t;"
    return f'{types}\n#define TILE {tile}\n#line 1 "{source}.cu"\n{text}'


def tile_size(dtype: DTypeLike) -> int:
    """Return the side of Winograd's tiles in pixels of y: 4, which is F(4x4, 3x3), or 2, which is F(2x2, 3x3).

    Large tiles save more multiplications, but magnify rounding errors. In float32 the error of y is 3e-6, too small
    to matter. In TF32 it would be 3e-3; with small tiles it is 4e-4, and without Winograd 3e-4 (`python
    benchmarks/tf32.py`).
    """
    return 2 if np.dtype(dtype) == np.float32 and tf32_is_allowed() else 4


def compiles(source: str, x: Array) -> bool:
    """Return whether the kernels of `source` compile for arrays of the dtype of `x`.

    The first time that a source does not compile, a warning says why. There is one warning only, since what stops one
    source stops all. A module without a compiler, such as NumPy or the course's pretend GPU, gives no warning.
    """
    xp = array_module(x)
    if x.dtype.name not in REAL or not hasattr(xp, "RawModule"):
        return False
    return _compiles(source, xp, x.dtype.name, tile_size(x.dtype))


def contiguous(x: Array, dtype: DTypeLike) -> Array:
    """Return `x` as a kernel reads it: row after row in memory, and of this dtype."""
    return array_module(x).ascontiguousarray(x, dtype).reshape(x.shape)  # without reshape a 0-d array would get an axis


def address(x: Any) -> int:
    """Return where in the GPU's memory the first element of a CuPy array is."""
    return x.data.ptr


def launch(source: str, name: str, threads: int, *args: Any, block: int = THREADS) -> None:
    """Run a kernel in at least so many threads; the kernel itself ends those that are too many.

    Parameters
    ----------
    source, name : str
        The kernel `name` of the file `source`.cu.
    threads : int
    args : contiguous CuPy arrays, the first of which has the dtype of the kernel; ints, which it takes as index_t;
        NULL
    block : int
        Threads in a block.
    """
    if not threads:
        return  # CUDA refuses an empty grid
    arrays = [x for x in args if not isinstance(x, (int, np.generic))]
    blocks = (threads + block - 1) // block  # rounded up
    largest = max(blocks * block, *(x.size for x in arrays))  # no index is larger
    index = "int" if largest < INT_LIMIT else "long long"
    x = arrays[0]
    kernel = _kernel(source, name, array_module(x), x.dtype.name, index, tile_size(x.dtype))
    kernel((blocks,), (block,), tuple(INDEX[index](x) if isinstance(x, int) else x for x in args))


@functools.cache
def _compiles(source: str, xp: Any, dtype: str, tile: int) -> bool:
    try:
        _module(source, xp, dtype, "int", tile).compile()
    except Exception as error:  # of any kind: no compiler, no headers, a GPU too old, a mistake in the source
        _warn_once(xp, f"{source}.cu for {dtype}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return False
    return True


_warned: list[Any] = []  # the modules whose warning has been given


def _warn_once(xp: Any, what: str) -> None:
    if xp not in _warned:
        _warned.append(xp)
        message = "the slower layers of minunet/layers take the place of CUDA kernels that do not compile"
        warnings.warn(f"{message}; the first was {what}", RuntimeWarning, stacklevel=2)


@functools.cache
def _kernel(source: str, name: str, xp: Any, dtype: str, index: str, tile: int) -> Any:
    return _module(source, xp, dtype, index, tile).get_function(name)


@functools.cache
def _module(source: str, xp: Any, dtype: str, index: str, tile: int) -> Any:
    return xp.RawModule(code=read(source, dtype, index, tile), options=("-std=c++17",))
