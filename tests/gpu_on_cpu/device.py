"""The fake driver, as tests ask it: whether it is there, what was launched, and what must not wait."""

import contextlib
import ctypes
import os
from typing import NamedTuple

IS_THERE = "GPU_ON_CPU" in os.environ
NAMES = ("launches", "products", "fills", "to_device", "to_host", "on_device", "waits", "bytes")


class Counts(NamedTuple):
    """What was done on the device while a block ran."""

    launches: int  # of kernels
    products: int  # calls of cuBLAS
    fills: int
    to_device: int  # copies
    to_host: int
    on_device: int
    waits: int  # of the host for the device
    bytes: int  # of the arrays that kernels and products were given, and of copies and fills on the device
    by_name: dict[str, tuple[int, int]]  # how often, and how many bytes


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in NAMES]


def driver() -> ctypes.CDLL:
    """Return the library."""
    library = ctypes.CDLL("libcuda.so.1")
    library.fake_counts.restype = _Counts
    library.fake_table.restype = ctypes.c_char_p
    return library


@contextlib.contextmanager
def counted(only_count: bool = False):
    """Count what the block does; yield a function that returns the counts so far.

    With `only_count` nothing is computed, so that arrays may be as large as on a GPU.
    """
    library = driver()
    library.fake_reset_counts()
    library.fake_count_only(int(only_count))
    try:
        yield lambda: counts(library)
    finally:
        library.fake_count_only(0)


def only_counting():
    """Return a context in which nothing is computed, where the fake driver is: a GPU computes."""
    return counted(only_count=True) if IS_THERE else contextlib.nullcontext()


def saying_sizes(kernel):
    """Return a kernel of CuPy's RawModule that tells the driver how large its arrays are.

    The driver sees where an array begins. It takes it to go on to the end of its memory, but a view ends before that.
    """

    def call(grid, block, args):
        for x in args:
            if hasattr(x, "data") and hasattr(x.data, "ptr"):
                driver().fake_size(ctypes.c_void_p(x.data.ptr), ctypes.c_long(x.nbytes))
        kernel(grid, block, args)

    return call


def counts(library: ctypes.CDLL) -> Counts:
    """Return the counts since the last reset."""
    lines = [line.split(" ", 2) for line in library.fake_table().decode().splitlines()]
    by_name = {name: (int(times), int(size)) for times, size, name in lines}
    return Counts(*(getattr(library.fake_counts(), name) for name in NAMES), by_name)


@contextlib.contextmanager
def no_waits():
    """Make each thing that would let the host wait for the GPU an error, in this thread."""
    driver().fake_forbid_waiting(1)
    try:
        yield
    finally:
        driver().fake_forbid_waiting(0)


@contextlib.contextmanager
def no_trips(copies: int = 0):
    """Where the fake driver is, let nothing wait for the GPU, and no more than `copies` copies go to it.

    CuPy copies a list or an array of the host that is used as an index, each time.
    """
    if not IS_THERE:
        yield
        return
    with no_waits():
        before = counts(driver()).to_device
        yield
        done = counts(driver()).to_device - before
    assert done <= copies, f"{done} copies to the GPU"


@contextlib.contextmanager
def capability(major: int, minor: int):
    """Let the device be of another compute capability."""
    driver().fake_set_capability(major, minor)
    try:
        yield
    finally:
        driver().fake_set_capability(9, 0)
