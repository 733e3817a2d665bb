"""Work on several parts of an array at once, one on each core.

NumPy's matrix products use all cores, everything else in it one: during copies, sums and maxima the other cores have
nothing to do. But NumPy lets go of Python's lock while it works, so threads do run side by side. Each takes a part of
the array, and does all that is done to it; meanwhile the matrix products are told to keep to one core each.

There are as many threads as BLAS, the library of the matrix products, would use: OPENBLAS_NUM_THREADS=1, or
threadpoolctl, keeps minunet to one core, too.
"""

import contextvars
import functools
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

_one_at_a_time = threading.Lock()  # two that set and restore the number of BLAS's threads would cross


def in_parallel(work: Callable, parts: Sequence) -> list:
    """Return [work(part) for part in parts]; if there are several, on several cores at once.

    The caller's thread takes its share: were it to wait, the system might put another thread on its core, and leave the
    others idle. A single part keeps to one core, too: the threads of BLAS, once woken, look for more work for a while,
    and would be in the way of those that come next.
    """
    results = [None] * len(parts)
    places = iter(range(len(parts)))  # each thread takes the next one that is left

    def run() -> None:
        for place in places:
            results[place] = work(parts[place])

    count = min(threads(), len(parts)) - 1
    pool, blas = _pool()
    with _one_at_a_time, blas.limit(limits=1):
        others = [pool.submit(contextvars.copy_context().run, run) for _ in range(count)]
        try:
            run()
        finally:
            wait(others)
    for other in others:
        other.result()  # raises what was raised there
    return results


def slices(size: int, multiple: int = 1, at_most: int | None = None) -> list[slice]:
    """Cut range(size) into slices of about the same length, the same number of them for each core.

    Parameters
    ----------
    size : int
    multiple : int
        Each slice begins at a multiple of it.
    at_most : int
        How long a slice may be; as long as it likes by default.
    """
    units = -(-size // multiple)
    rounds = -(-size // (threads() * (at_most or size)))
    count = min(units, rounds * threads())
    edges = [min(size, multiple * (units * k // count)) for k in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def threads() -> int:
    """Return how many threads BLAS would use; 1 if it does not say."""
    return max((library.num_threads for library in _blas().lib_controllers), default=1)


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController  # here, since to look for BLAS takes a while

    return ThreadpoolController().select(user_api="blas")


@functools.cache
def _pool():
    return ThreadPoolExecutor(threads(), "minunet"), _blas()


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
