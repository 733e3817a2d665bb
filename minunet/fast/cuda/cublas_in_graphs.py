"""cuBLAS called directly where CuPy will not call it: while a CUDA graph is recorded.

There CuPy 14.2 raises NotImplementedError for each product, though cuBLAS itself can be recorded. So its functions are
called by ctypes, with the handle that CuPy has made. The numbers alpha and beta become part of the graph.

cuBLAS may need memory to work in. A graph gets an array for it, or cuBLAS would take new memory in each recording. It
is as large as cuBLAS would make it, so that it chooses the kernels that it chose before, which are loaded.
"""

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from minunet.backend import Array

WORKSPACE, OLDER_WORKSPACE = 32 * 2**20, 4 * 2**20  # bytes, from compute capability 9.0 on and before: NVIDIA's advice
KINDS = {"p": ctypes.c_void_p, "i": ctypes.c_int, "q": ctypes.c_longlong}
FUNCTIONS = {  # CuPy's name: cuBLAS's name, and the kinds of its arguments
    "setStream": ("cublasSetStream_v2", "p p"),
    "setWorkspace": ("cublasSetWorkspace_v2", "p p q"),
    "gemmEx": ("cublasGemmEx", "p iiiii p pii pii p pii ii"),
    "gemmStridedBatchedEx": ("cublasGemmStridedBatchedEx", "p iiiii p piiq piiq p piiq iii"),
}


def call(cupy: Any, name: str, *args: int) -> None:
    """Call a function of CuPy's module `cublas`; where CuPy refuses, call cuBLAS."""
    try:
        getattr(cupy.cuda.cublas, name)(*args)
    except NotImplementedError:  # before anything was done
        call_library(cupy, name, *args)


def call_library(cupy: Any, name: str, *args: int) -> None:
    """Call cuBLAS; raise RuntimeError if it cannot do what is asked."""
    symbol, kinds = FUNCTIONS[name]
    values = [KINDS[kind](value) for kind, value in zip(kinds.replace(" ", ""), args, strict=True)]
    status = getattr(_library(cupy.cuda.cublas.__file__), symbol)(*values)
    if status:
        raise RuntimeError(f"{symbol} says {status}; without MINUNET_GRAPHS it is not called this way")


@contextlib.contextmanager
def sent_to(cupy: Any, stream: Any) -> Iterator[Array]:
    """Let the products of this thread go to `stream`; yield the array in which cuBLAS works meanwhile."""
    size = WORKSPACE if int(cupy.cuda.Device().compute_capability) >= 90 else OLDER_WORKSPACE
    handle, workspace = cupy.cuda.get_cublas_handle(), cupy.empty(size, np.uint8)
    call_library(cupy, "setStream", handle, stream.ptr)
    call_library(cupy, "setWorkspace", handle, workspace.data.ptr, size)
    try:
        yield workspace
    finally:
        call_library(cupy, "setStream", handle, 0)  # which takes the workspace away, too


@functools.cache
def _library(path: str) -> ctypes.CDLL:
    """Return the cuBLAS that CuPy uses: names are looked up in all that CuPy's module is linked with."""
    return ctypes.CDLL(path)
