"""Memory for the arrays of a layer, kept when an array is dropped and used again for the next one of about its size.

A training step makes and drops hundreds of arrays, in every step of the same sizes. `numpy.empty` asks the operating
system for the larger ones, and the system clears every page before it hands it out: on a small network that takes
longer than the arithmetic (`python benchmarks/memory.py`). `empty` here returns memory that an earlier array has left.
What was used last comes first, since it may still be in the cache of the processor.

    y = empty((N, OH, F, OW), x.dtype)     a block that is free, or a new one
    del y                                  when nobody holds y or a view of it any more, the block is free again

A block lies idle while no array needs its size. Where a new one is needed while idle ones take AT_MOST bytes or more,
these are given back to the system first.

`keep_freed_memory` does something like it for all other arrays, by a setting of the C library for the whole process.
Only a process of minunet's own may have it: the command line, and a worker.
"""

import collections
import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, array_module

AT_MOST = 2**28  # bytes that may lie idle: enough for the steps of a small network, little beside those of a large one
ALIGNMENT = 64  # bytes, a line of the cache: matrix products are quicker on arrays that begin with one
SMALLEST = 2**16  # bytes: the C library keeps smaller arrays itself
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h

_idle: collections.defaultdict[int, collections.deque] = collections.defaultdict(collections.deque)  # by size in bytes


class _MallocInfo(ctypes.Structure):
    """What glibc says of its malloc, struct mallinfo2; fordblks are the bytes that are free in it."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


class _Block:
    """Memory that an array is made of. The array holds its block, and so do views of the array."""

    __slots__ = ("__array_interface__", "memory")

    def __init__(self, memory: tuple[np.ndarray, int], shape: tuple[int, ...], kind: str):
        self.memory = memory
        self.__array_interface__ = {"shape": shape, "typestr": kind, "data": (memory[1], False), "version": 3}

    def __del__(self, idle=_idle):  # bound here, since at the end of Python the module's names go first
        idle[len(self.memory[0])].append(self.memory)  # appending to a deque is safe, whichever threads do it


def empty(shape: tuple[int, ...], dtype: DTypeLike, xp: Any = np) -> Array:
    """Return an array whose numbers are not set, as `xp.empty` does; CuPy keeps memory itself."""
    if xp is not np:
        return xp.empty(shape, dtype)
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    size = _rounded(size + ALIGNMENT)
    try:
        memory = _idle[size].pop()
    except IndexError:
        memory = _new(size)
    return np.asarray(_Block(memory, shape, dtype.str))


def product(a: Array, b: Array) -> Array:
    """Return a @ b, where b has all leading axes."""
    xp = array_module(a)
    return xp.matmul(a, b, out=empty((*b.shape[:-2], a.shape[-2], b.shape[-1]), a.dtype, xp))


def idle_bytes() -> int:
    """Return how much memory no array uses."""
    return sum(size * len(blocks) for size, blocks in list(_idle.items()))


def freed_bytes() -> int:
    """Return how much memory this process holds but does not use: what lies idle here, and in glibc's malloc.

    For the system it is in use, but the next arrays can have it.
    """
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):  # another C library, or one from before 2021
        return idle_bytes()
    mallinfo.restype = _MallocInfo
    return idle_bytes() + mallinfo().fordblks


def give_back() -> None:
    """Give the memory that no array uses back to the system."""
    _idle.clear()


def _rounded(size: int) -> int:
    """Round a size up, by an eighth at most, so that layers of nearly the same size use each other's blocks."""
    step = 1 << (size.bit_length() - 4)
    return -(-size // step) * step


def _new(size: int) -> tuple[np.ndarray, int]:
    """Return new memory, and the address in it where an array may begin."""
    if idle_bytes() + size > AT_MOST:
        give_back()
    memory = np.empty(size, np.uint8)
    return memory, memory.ctypes.data + -memory.ctypes.data % ALIGNMENT


def keep_freed_memory() -> bool:
    """Set malloc up for the whole process; return whether it worked: only glibc, so Linux, has these settings.

    All threads share one arena, so that each can reuse what another one has freed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    return bool(mallopt(M_ARENA_MAX, 1) and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
