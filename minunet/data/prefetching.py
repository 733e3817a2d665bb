"""Draw the tiles of the next steps in the background, while the current step is computed."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

from minunet.backend import check_whole_number
from minunet.errors import InputError

MOST = 1000  # results that wait
T = TypeVar("T")


def prefetch(draw: Callable[[int], T], first: int, ahead: int = 2) -> Generator[tuple[T, float], None, None]:
    """Yield (draw(first), waited), (draw(first + 1), waited), ... without end, drawn in the background.

    Threads are enough, since NumPy and SciPy let other threads run while they compute. Each result must depend on its
    number alone; then it is the same as without threads. An error in `draw` is raised when its result is asked for.

    Close the generator to end the threads: `with contextlib.closing(prefetch(...)) as drawn`. That waits for the draws
    that are under way, and starts no others.

    Where no thread can start, as in a browser (Pyodide, JupyterLite), each result is drawn when it is asked for.

    Parameters
    ----------
    draw : function of the step's number
    first : int
        Number of the first step.
    ahead : int, at least 1
        How many results are ready or under way while the caller works.

    Yields
    ------
    drawn : whatever `draw` returns
    waited : float
        Seconds that the caller had to wait for it.
    """
    if not callable(draw):
        raise InputError(f"draw must be a function of the step's number, got a {type(draw).__name__}; pass a function")
    check_whole_number("first", first, 0, "steps count from 0")
    check_whole_number("ahead", ahead, 1, "2 is usual", MOST)
    if not _a_thread_can_start():
        yield from _one_by_one(draw, first)
    pool = ThreadPoolExecutor(max_workers=ahead, thread_name_prefix="prefetch")
    numbers = count(first)
    coming = deque(pool.submit(draw, next(numbers)) for _ in range(ahead))
    try:
        while True:
            asked = time.perf_counter()
            drawn = coming.popleft().result()
            waited = time.perf_counter() - asked
            coming.append(pool.submit(draw, next(numbers)))
            yield drawn, waited
    finally:
        pool.shutdown(cancel_futures=True)


def _a_thread_can_start() -> bool:
    thread = threading.Thread(target=int)  # which does nothing
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def _one_by_one(draw: Callable[[int], T], first: int) -> Generator[tuple[T, float], None, None]:
    for number in count(first):
        began = time.perf_counter()
        drawn = draw(number)
        yield drawn, time.perf_counter() - began
