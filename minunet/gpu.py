"""Is there a GPU, how much memory has it, and does it multiply in TF32? And if there is none, why."""

import os
import sys
from typing import Any

from minunet.errors import InputError

TF32_CAPABILITY = 80  # CuPy's way to write 8.0
OLDEST_CUDA = 12  # that CuPy 14 has a wheel for
TF32_TENSOR_OP_MATH = 3  # in cuBLAS's enumeration cublasMath_t; CuPy 14.2 has no name for it


def tf32_is_allowed() -> bool:
    """Return whether CUPY_TF32=1 in the environment lets the GPU multiply float32 matrices in TF32, and it can.

    TF32 keeps 10 bits of each factor after the point, where float32 keeps 23, and is several times as fast. GPUs have
    it from compute capability 8.0 on (Ampere, 2020); older ones multiply in full, whatever the environment says.
    """
    return os.environ.get("CUPY_TF32") == "1" and _gpu_has_tf32()


def _gpu_has_tf32() -> bool:
    cupy = sys.modules.get("cupy")
    device = getattr(getattr(cupy, "cuda", None), "Device", None)  # the course's pretend GPU has none
    return device is None or int(device().compute_capability) >= TF32_CAPABILITY


def allow_tf32_if_asked(x: Any) -> None:
    """Let cuBLAS multiply batches of float32 matrices in TF32, if CUPY_TF32=1 asks for it and `x` is on the GPU.

    CuPy obeys CUPY_TF32 for single products only; the layers multiply batches of matrices. Whoever sets up work on a
    GPU calls this once, with any array of the work and in the thread that does it: cuBLAS keeps a setting per thread.
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray) and tf32_is_allowed():
        cupy.cuda.cublas.setMathMode(cupy.cuda.get_cublas_handle(), TF32_TENSOR_OP_MATH)


def gpu_is_there() -> bool:
    """Return whether CuPy is installed and finds an NVIDIA GPU."""
    try:
        import cupy
    except ImportError:
        return False
    return cupy.cuda.is_available()


def gpu_memory() -> int:
    """Return how many bytes of the GPU's memory this process can use: what is free, and what CuPy's pool holds."""
    cupy = import_cupy()
    free, _ = cupy.cuda.runtime.memGetInfo()
    return free + cupy.get_default_memory_pool().total_bytes()  # the pool keeps memory that was freed


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Return whether this is CuPy's error, which means that the GPU's memory is full, not the host's."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError)


def import_cupy() -> Any:
    """Return the module cupy; raise InputError, with the remedy, where it or a GPU that it can use is missing."""
    try:
        import cupy
    except ImportError as error:
        what = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        raise InputError(
            f"device 'gpu' needs CuPy, which {what}; install it with "
            'python -m pip install -e ".[gpu]", python -m pip install "cupy-cuda12x[ctk]" or '
            "conda install -c conda-forge cupy"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CUDARuntimeError: no driver, no device, or a driver too old for this CuPy
        raise InputError(
            f"device 'gpu' needs a GPU that CuPy can use; it says {error}. {_driver_remedy(cupy)}"
        ) from error
    if not count:
        raise InputError(f"device 'gpu' needs a GPU that CuPy can use; it finds none. {_driver_remedy(cupy)}")
    return cupy


def _driver_remedy(cupy: Any) -> str:
    """Return what to do where CuPy cannot use a GPU: the driver may be missing, or older than CuPy's CUDA."""
    runtime = cupy.cuda.runtime
    try:
        driver, needed = runtime.driverGetVersion() // 1000, runtime.runtimeGetVersion() // 1000
    except Exception:  # there is no driver to be asked
        driver = needed = 0
    if 0 < driver < needed:
        other = f", or install cupy-cuda{driver}x[ctk] in CuPy's place" if driver >= OLDEST_CUDA else ""
        return f"The driver is for CUDA {driver}, this CuPy for CUDA {needed}: update the driver{other}"
    return "Install the driver (nvidia.com/drivers; nvidia-smi shows whether it works), or use 'cpu'"
