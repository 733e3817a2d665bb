"""Memory-mapped files: pages that are no longer needed leave this process's memory, and stay in the file."""

import mmap

import numpy as np


def let_go(array) -> None:
    """Take the pages of a numpy.memmap out of this process's memory; anything else is left alone.

    The system would take them back too, but only when memory runs out. Until then a process that reads a file of
    10 GB appears to need 10 GB. Private changes (mode "c") are in no file, so those pages stay.
    """
    if isinstance(array, np.memmap) and array.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        pages = getattr(array, "_mmap", None)  # None in a copy of a numpy.memmap, which is in memory
        if pages is not None:
            pages.madvise(mmap.MADV_DONTNEED)
