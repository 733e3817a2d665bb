"""Drawing the tiles of the next steps while the step at hand is computed."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

AHEAD = 2  # steps


def prefetch(draw: Callable, first: int) -> Iterator[tuple]:
    """Yield (draw(first), seconds waited for it), then the same of first + 1, and so on without end.

    A thread in the background is AHEAD steps ahead: NumPy and SciPy let others work while they compute. What is drawn
    is what would be drawn in the foreground; an error in `draw` comes up where its result is asked for. Close the
    generator to stop the thread (`contextlib.closing`).
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tiles") as pool:
        waiting = deque(pool.submit(draw, first + i) for i in range(AHEAD))
        step = first + AHEAD
        try:
            while True:
                began = time.perf_counter()
                drawn = waiting.popleft().result()
                waiting.append(pool.submit(draw, step))
                step += 1
                yield drawn, time.perf_counter() - began
        finally:
            for future in waiting:
                future.cancel()
