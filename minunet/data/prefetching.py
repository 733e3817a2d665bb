"""Drawing the tiles of the next steps while the step at hand is computed."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

T = TypeVar("T")


def prefetch(draw: Callable[[int], T], first: int, ahead: int = 2) -> Iterator[tuple[T, float]]:
    """Yield (draw(first), waited), (draw(first + 1), waited), ... without end, drawn in the background.

    Threads do, as NumPy and SciPy let others run while they compute. Each draw must depend on its number alone: then
    the results are those of drawing in the foreground. An error in `draw` is raised where its result is due.

    Close the generator to end the threads: `with contextlib.closing(prefetch(...)) as drawn`. That waits for the draw
    that is under way, and starts no other.

    Parameters
    ----------
    draw : function of the step's number
    first : int
        Number of the first step.
    ahead : int, at least 1
        How many results are held ready, or are under way, while the consumer works.

    Yields
    ------
    drawn : whatever `draw` returns
    waited : float
        Seconds that the consumer was kept waiting for it.
    """
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
