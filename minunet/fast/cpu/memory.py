"""Keep the memory of arrays that are dropped, instead of returning it to the operating system and asking for it again.

A training step makes and drops hundreds of arrays of many megabytes. By default the C library returns each of them to
the system at once, and the system clears every page before it hands one out again. For a step of the full network on
two cores that takes nearly a third of the time (`python benchmarks/memory.py`). Pages that are kept are ready for
use. The peak of memory stays the same, but between peaks the process holds more than it uses. All threads share one
arena, so that each can reuse what another one has freed.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Set malloc up for the whole process; return whether it worked: only glibc, so Linux, has these settings."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    return bool(mallopt(M_ARENA_MAX, 1) and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
