"""Keep the memory that arrays give back, in place of handing it to the operating system and asking for it again.

A training step makes and drops hundreds of arrays of many megabytes. By default the C library returns each to the
system at once, and the system clears every page anew before it hands one out: of the full network's step on two cores
that takes nearly a third (`python benchmarks/memory.py`). Kept, the pages are ready. The peak stays what it was;
between peaks the process looks larger than it is. All threads share one arena, to take what another one gave back.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Tell malloc, for the whole process; return whether it could be told: only glibc, so Linux, understands."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    return bool(mallopt(M_ARENA_MAX, 1) and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
