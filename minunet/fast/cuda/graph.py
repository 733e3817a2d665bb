"""A CUDA graph: what a function launches on a GPU is recorded once, and launched as one thing ever after.

A launch takes the host some microseconds. Where a network is small the kernels take less, and the GPU waits for the
host. MINUNET_GRAPHS=on asks for graphs; no GPU has run one yet, so they are off by default.

A graph reads and writes the memory it was recorded with. Hence

    its inputs    are copied to arrays of its own before each launch
    its outputs   lie in arrays of its own, which the next launch overwrites
    its memory    comes from a pool of its own, so that nobody else is given it. All of it is held: on a full GPU the
                  pool would give back to CUDA what kernels use that have been recorded, and ask again
    parameters    are read where they lie: if they have moved, the function is recorded again

While it is recorded a function may launch kernels, copy on the GPU, take memory and multiply (see
`cublas_in_graphs.py`). It may not copy between host and GPU, nor wait: CuPy raises an error.
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minunet.backend import Array, Params, array_module, flatten
from minunet.fast.cuda import cublas_in_graphs
from minunet.fast.cuda.loader import contiguous

MOST = 2  # graphs that are kept: that of training, and that of prediction
SETTINGS = ("CUPY_TF32", "MINUNET_CONVOLUTION", "MINUNET_KERNELS")  # they decide what a function launches


class Recording(NamedTuple):
    graph: Any  # CuPy's
    inputs: list[Array | None]
    outputs: Any
    memory: tuple  # what must live as long as the graph


_recordings: dict[tuple, Recording | None] = {}  # None: called once, not recorded yet


def replayed(name: str, function: Callable, params: Params, inputs: Sequence[Array | None]) -> Any:
    """Return function(*inputs): from the third call on by a graph, which the second call records.

    The first call compiles and loads the kernels, which no graph can hold.

    Parameters
    ----------
    name : str
        Tells this function from others of the same parameters.
    function : function of the inputs
        Besides them it reads `params` only, and it gives new arrays.
    params : tree of CuPy arrays
        The same each time, though their values may change in place.
    inputs : CuPy arrays or None

    Returns
    -------
    outputs : whatever `function` returns
        By a graph, in arrays that the next call overwrites.
    """
    key = _key(name, params, inputs)
    is_known = key in _recordings
    recording = _recordings.pop(key, None)
    if is_known and recording is None:
        recording = _record(function, inputs)
    _recordings[key] = recording  # the last one is the one used last
    while len(_recordings) > MOST:
        del _recordings[next(iter(_recordings))]
    if recording is None:
        return function(*[None if x is None else contiguous(x, x.dtype) for x in inputs])  # as it will be recorded
    for own, x in zip(recording.inputs, inputs, strict=True):
        if own is not None:
            own[...] = x
    recording.graph.launch()
    return recording.outputs


def _key(name: str, params: Params, inputs: Sequence[Array | None]) -> tuple:
    """Return all that must be the same for a graph to be used again; cuBLAS and its handle belong to a thread."""
    read = [(x.data.ptr, x.shape, x.strides, x.dtype.str) for x in flatten(params).values()]
    given = [None if x is None else (x.shape, x.dtype.str) for x in inputs]
    settings = [os.environ.get(setting) for setting in SETTINGS]
    return (name, threading.get_ident(), *read, *given, *settings)


def _record(function: Callable, inputs: Sequence[Array | None]) -> Recording:
    """Record the function, on a stream and with a pool of memory of its own; nothing is computed yet."""
    cupy = array_module(next(x for x in inputs if x is not None))
    cupy.get_default_memory_pool().free_all_blocks()  # of the first call: the graph needs as much again
    held: list[Any] = []
    pool, stream = cupy.cuda.MemoryPool(_holding(cupy, held)), cupy.cuda.Stream(non_blocking=True)
    with cupy.cuda.using_allocator(pool.malloc), stream:
        own = [None if x is None else cupy.empty(x.shape, x.dtype) for x in inputs]
        with cublas_in_graphs.sent_to(cupy, stream) as workspace:
            stream.begin_capture()
            try:
                outputs = function(*own)
            finally:
                graph = stream.end_capture()
    return Recording(graph, own, outputs, (workspace, pool, held, stream))


def _holding(cupy: Any, held: list[Any]) -> Callable[[int], Any]:
    """Return CuPy's allocator of memory from CUDA; all that it gives is added to `held`."""

    def allocate(size: int) -> Any:
        held.append(cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0))
        return held[-1]

    return allocate
