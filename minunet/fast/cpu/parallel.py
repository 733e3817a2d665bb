"""Work on several parts of something at once, one on each core.

NumPy's matrix products use all cores; all other operations of NumPy use one, and the other cores wait. But NumPy
releases Python's lock while it computes, so threads can run at the same time. Here each thread takes a part and does
all the work on it; meanwhile a matrix product runs on one core.

The parts may be bands of one image, or whole images. Work on an image calls `in_parallel` again, in each of its layers;
such an inner call finds all cores taken, and does its parts one after the other. So the outermost call decides what is
shared, and nothing else needs to know.

There are as many threads as BLAS, the library that does the matrix products, would use. So OPENBLAS_NUM_THREADS=1, or
threadpoolctl, limits minunet to one core, too. But BLAS counts the cores of the machine; where a container may use
fewer of them, more threads would only stop each other, so there are at most as many as `limits.cores` says.
"""

import contextvars
import functools
import itertools
import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minunet.fast.cpu.limits import cores

_one_at_a_time = threading.Lock()  # two calls at once would restore each other's number of BLAS threads
_is_inside = contextvars.ContextVar("_is_inside", default=False)  # whether this thread is at work for `in_parallel`


def in_parallel(work: Callable, parts: Sequence, at_once: int | None = None) -> list:
    """Return [work(part) for part in parts]; if there are several parts, on several cores at once.

    `at_once` says on how many at most, if not on all.

    The caller's thread does its share of the work. If it only waited, the system might start another thread on its core
    and leave other cores idle. A single part runs on one core, too: the threads of BLAS stay awake for a while after a
    product, and would slow down the threads of the next call.

    Calls from different threads wait for each other. A call from within `work` does its parts one after the other.
    """
    if _is_inside.get() or len(parts) == 0:
        return [work(part) for part in parts]
    results: list[Any] = [None] * len(parts)
    errors: list[BaseException] = []
    places = iter(range(len(parts)))  # shared: each thread takes the next part that is left

    def run() -> None:
        try:
            for place in places:
                results[place] = work(parts[place])
        except BaseException as error:
            errors.append(error)
            for _ in places:  # the parts that are left are not begun
                pass

    with _one_at_a_time, limited_to(1) as count:
        outside = _is_inside.set(True)
        try:
            helpers, done = _helpers(min(at_once or count, count, len(parts)) - 1), queue.SimpleQueue[None]()
            for helper in helpers:  # with the caller's settings, which hold in its parts, too
                helper.put((functools.partial(contextvars.copy_context().run, run), done))
            run()
            for _ in helpers:
                done.get()
        finally:
            _is_inside.reset(outside)
    if errors:
        raise errors[0]
    return results


def side_by_side(work: Callable, items: Sequence, at_once: int) -> list:
    """Return [work(item) for item in items], where each item is whole work of its own, such as an image of a batch.

    So many items are worked on at once, each by one core. Where that would leave half of the cores idle, or more, the
    items are worked on one after the other, and all cores share each of them: the work on an item may call
    `in_parallel`. That is so for a few items that are left at the end, too.
    """
    if at_once == 1 or 2 * at_once <= threads():
        return [work(item) for item in items]
    left = len(items) % at_once
    if 2 * left > threads():
        left = 0
    whole = len(items) - left
    return [*in_parallel(work, items[:whole], at_once), *(work(item) for item in items[whole:])]


def parts_of(size: int, multiple: int = 1) -> list[slice]:
    """Cut range(size) into parts of about the same length, one for each core; each begins at a multiple."""
    units = math.ceil(size / multiple)
    count = min(units, threads())
    edges = [min(size, multiple * (units * k // count)) for k in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def threads() -> int:
    """Return how many threads the next call of `in_parallel` can use: 1 within another call."""
    return 1 if _is_inside.get() else _at_most_cores([library.num_threads for library in _blas()])


def _at_most_cores(of_blas: list[int]) -> int:
    """Return the number of threads of BLAS, but no more than the cores; 1 if BLAS does not say."""
    return min(max(of_blas, default=1), cores())


def _helpers(count: int) -> list[queue.SimpleQueue]:
    """Return the queues of so many threads that stay. The caller holds `_one_at_a_time`."""
    while len(_queues) < count:
        _queues.append(queue.SimpleQueue())
        name = f"minunet {len(_queues)}"
        threading.Thread(target=_help, args=(_queues[-1],), name=name, daemon=True).start()
    return _queues[:count]


def _help(given: queue.SimpleQueue) -> None:
    """Do what comes in the queue, for ever: (work, done), where `done` is told when the work is done."""
    while True:
        work, done = given.get()
        work()
        done.put(None)
        del work, done  # else the arrays that the work holds would stay until the next work comes


_queues: list[queue.SimpleQueue] = []


@contextmanager
def limited_to(count: int) -> Iterator[int]:
    """Let BLAS use so many threads at most until the block ends; yield how many threads there may be without that."""
    before = [(library, library.num_threads) for library in _blas()]
    for library, most in before:
        if most > count:
            library.set_num_threads(count)
    try:
        yield _at_most_cores([most for _, most in before])
    finally:
        for library, most in before:
            if most > count:
                library.set_num_threads(most)


@functools.cache
def _blas() -> list:
    from threadpoolctl import ThreadpoolController  # here, since the search for BLAS takes a while

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _begin_anew() -> None:
    """Forget the threads, and a call that was under way: a forked process has none of its parent's threads."""
    global _one_at_a_time
    _one_at_a_time = threading.Lock()
    _queues.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
