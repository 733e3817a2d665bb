"""NumPy or CuPy: the data decides. This is the only file that knows CuPy exists."""

import importlib
import os
import sys
from typing import Annotated, Any

import numpy as np

from minunet.errors import InputError

Array = Any  # numpy.ndarray or cupy.ndarray
TF32_TENSOR_OP_MATH = 3  # in cuBLAS's enumeration cublasMath_t; CuPy 14.2 has no name for it
Constant = Annotated[Any, "the backward pass may leave out this argument's gradient"]


def array_module(x: Array):
    """Return the module that made `x`: cupy for a CuPy array, numpy for everything else."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(x, cupy.ndarray) else np


def to_device(tree, device: str):
    """Copy every array of nested dicts, lists and tuples to `device`, "cpu" or "gpu".

    Arrays that are there already are returned as they are; None and scalars pass through. CUPY_TF32=1 in the
    environment, CuPy's own switch, lets the GPU multiply float32 matrices in TF32, with 10 bits after the point: CuPy
    takes it for single products, and here it is said to cuBLAS for batches of them, which layers are.

    Raises
    ------
    InputError
        If `device` is unknown, or "gpu" is asked for where CuPy or the GPU is missing.
    """
    if device == "cpu":
        return map_tree(to_host, tree)
    if device == "gpu":
        cupy = _import_cupy()
        if tf32_is_allowed():
            cupy.cuda.cublas.setMathMode(cupy.cuda.get_cublas_handle(), TF32_TENSOR_OP_MATH)  # of this thread
        return map_tree(cupy.asarray, tree)
    raise InputError(f"device must be 'cpu' or 'gpu', got {device!r}")


def to_host(x: Array) -> np.ndarray:
    """Return `x` itself if it is NumPy's, else a copy from the GPU."""
    xp = array_module(x)
    return x if xp is np else xp.asnumpy(x)


def map_tree(function, tree):
    """Apply `function` to every array in nested dicts, lists, tuples and NamedTuples."""
    if isinstance(tree, dict):
        return {name: map_tree(function, branch) for name, branch in tree.items()}
    if isinstance(tree, list):
        return [map_tree(function, branch) for branch in tree]
    if isinstance(tree, tuple):
        branches = [map_tree(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    return function(tree) if hasattr(tree, "dtype") and hasattr(tree, "shape") else tree


def flatten(tree, prefix: str = "") -> dict[str, Array]:
    """Return {dotted name: array}, such as encode.0.conv1.weight, in the order of the tree."""
    if isinstance(tree, dict):
        branches = tree.items()
    elif isinstance(tree, (list, tuple)):
        branches = zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True)
    else:
        return {prefix: tree}
    flat = {}
    for name, branch in branches:
        flat.update(flatten(branch, f"{prefix}.{name}" if prefix else str(name)))
    return flat


def ndimage_of(x: Array):
    """Return the module of image operations for `x`: cupyx.scipy.ndimage for a CuPy array, else scipy.ndimage."""
    name = "scipy.ndimage" if array_module(x) is np else "cupyx.scipy.ndimage"
    return importlib.import_module(name)  # when it is needed: it takes a while


def tf32_is_allowed() -> bool:
    """Return whether the environment lets the GPU multiply float32 matrices in TF32."""
    return os.environ.get("CUPY_TF32") == "1"


def gpu_is_there() -> bool:
    """Return whether CuPy is installed and finds an NVIDIA GPU."""
    try:
        import cupy
    except ImportError:
        return False
    return cupy.cuda.is_available()


def gpu_memory() -> int:
    """Return how many bytes of the GPU's memory are free, or in the hands of this process."""
    cupy = _import_cupy()
    free, _ = cupy.cuda.runtime.memGetInfo()
    return free + cupy.get_default_memory_pool().total_bytes()  # the pool keeps what was freed


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Return whether this is CuPy's error, and not that of the host's memory."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError)


def _import_cupy():
    try:
        import cupy
    except ImportError as error:
        what = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        raise InputError(
            f"device 'gpu' needs CuPy, which {what}; install it with "
            'python -m pip install -e ".[gpu]" (CUDA 13), or cupy-cuda12x for CUDA 12'
        ) from error
    if not cupy.cuda.is_available():
        raise InputError(
            "device 'gpu' needs an NVIDIA GPU and its driver: CuPy is installed but finds none; "
            "install the driver (nvidia.com/drivers; nvidia-smi shows whether it works), or use 'cpu'"
        )
    return cupy


def check_same_device(**arrays: Array) -> None:
    """Raise unless all arrays lie where the first one does; numbers, and scalars of NumPy, lie anywhere."""
    (first, there), *others = arrays.items()
    for name, array in others:
        if array_module(array) is not array_module(there) and (np.ndim(array) or array_module(array) is not np):
            raise InputError(
                f"{name} must be on the device of {first} ({_device(there)}), got an array on the {_device(array)}; "
                "move it with minunet.to_device"
            )


def _device(array: Array) -> str:
    return "host" if array_module(array) is np else "GPU"
