"""Work on several parts of an array at once, one on each core.

NumPy's matrix products use all cores; all other operations of NumPy use one, and the other cores wait. But NumPy
releases Python's lock while it computes, so threads can run at the same time. Here each thread takes a part of the
array and does all the work on it; meanwhile a matrix product runs on one core.

There are as many threads as BLAS, the library that does the matrix products, would use. So OPENBLAS_NUM_THREADS=1, or
threadpoolctl, limits minunet to one core, too.
"""

import contextvars
import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from minunet.errors import InputError

_one_at_a_time = threading.Lock()  # two calls at once would restore each other's number of BLAS threads
_is_inside = contextvars.ContextVar("_is_inside", default=False)  # whether this thread is at work for `in_parallel`


def in_parallel(work: Callable, parts: Sequence) -> list:
    """Return [work(part) for part in parts]; if there are several parts, on several cores at once.

    The caller's thread does its share of the work. If it only waited, the system might start another thread on its core
    and leave other cores idle. A single part runs on one core, too: the threads of BLAS stay awake for a while after a
    product, and would slow down the threads of the next call.

    Calls from different threads wait for each other.

    Raises
    ------
    InputError
        If `work` itself calls `in_parallel`: the inner call would wait for the outer one for ever.
    """
    if _is_inside.get():
        raise InputError(
            "in_parallel must be called outside of the work that in_parallel does, got a call from within it; "
            "do the inner work in a plain loop"
        )
    results: list[Any] = [None] * len(parts)
    places = iter(range(len(parts)))  # shared: each thread takes the next part that is left

    def run() -> None:
        for place in places:
            results[place] = work(parts[place])

    count = min(threads(), len(parts)) - 1
    pool, blas = _pool()
    with _one_at_a_time, blas.limit(limits=1):
        inside = contextvars.copy_context()  # of the caller, whose settings hold in the parts, too
        inside.run(_is_inside.set, True)
        others = [pool.submit(inside.copy().run, run) for _ in range(count)]
        try:
            inside.run(run)
        finally:
            wait(others)
    for other in others:
        other.result()  # raises what was raised there
    return results


def parts_of(size: int, multiple: int = 1, at_most: int | None = None) -> list[slice]:
    """Cut range(size) into parts of about the same length, the same number of them for each core.

    Parameters
    ----------
    size : int
    multiple : int
        Each part begins at a multiple of it.
    at_most : int, optional
        The largest length of a part; no limit by default.
    """
    units = math.ceil(size / multiple)
    rounds = math.ceil(size / (threads() * (at_most or size)))  # parts that each core takes, one after the other
    count = min(units, rounds * threads())
    edges = [min(size, multiple * (units * k // count)) for k in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def threads() -> int:
    """Return how many threads BLAS would use; 1 if it does not say."""
    return max((library.num_threads for library in _blas().lib_controllers), default=1)


@functools.cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController  # here, since the search for BLAS takes a while

    return ThreadpoolController().select(user_api="blas")


@functools.cache
def _pool() -> Any:
    return ThreadPoolExecutor(threads(), "minunet"), _blas()


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
