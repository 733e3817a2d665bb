"""The modules `cupy` and `cupyx` of the stand-in, and how they get into sys.modules and out again."""

import contextlib
import functools
import sys
import types

import numpy as np
import scipy.ndimage

from strict_cupy import cublas
from strict_cupy.arrays import call, ndarray, on_device, unwrapped
from strict_cupy.names import check_arguments, check_name
from strict_cupy.raw_module import RawModule

FROM_HOST = ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray")
FREE, TOTAL = 70 * 2**30, 80 * 2**30  # bytes of memory that the stand-in claims to have


class Module(types.ModuleType):
    """A module that has what NumPy's (or SciPy's) has, if CuPy has it too."""

    def __init__(self, name: str, source, **own):
        super().__init__(name)
        self.source = source
        self.__dict__.update(own)
        self.__path__ = []

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        full_name = f"{self.__name__}.{name}"
        check_name(full_name)
        if not hasattr(self.source, name):
            raise NotImplementedError(f"the stand-in has no {full_name}; write it in tests/strict_cupy/modules.py")
        value = getattr(self.source, name)
        if not callable(value) or isinstance(value, type):
            return value
        if name in FROM_HOST:
            return functools.partial(_from_host, full_name, value)
        return functools.partial(_function, full_name, value)


def _function(name: str, function, *args, **kwargs):
    result = call(name, function, args, kwargs)
    short = name.rpartition(".")[2]
    if short in ("empty", "empty_like"):
        result.fill(np.nan if result.dtype.kind in "fc" else 77)  # what nobody wrote nobody should read
    return on_device(np.asarray(result)) if short in ("count_nonzero", "array_equal", "allclose") else result


def _from_host(name: str, function, a, *args, **kwargs):
    """Copy to the device, which is what these functions are for; a list of device arrays stays there."""
    check_arguments(name, (a, *args), kwargs)
    if isinstance(a, ndarray):
        return on_device(function(a._memory, *args, **kwargs))
    if not isinstance(a, np.ndarray):
        return on_device(function(unwrapped(name, a), *args, **kwargs))
    return on_device(np.array(function(a, *args, **kwargs)))  # never the memory of the host


def _take_along_axis(a, indices, axis):
    """Wrap indices out of range silently, as CuPy does."""
    return np.take_along_axis(a, indices % a.shape[axis], axis)


def _asnumpy(a, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
    return a.get(order=order) if isinstance(a, ndarray) else np.asarray(a)


def _get_array_module(*arrays):
    return sys.modules["cupy"] if any(isinstance(array, ndarray) for array in arrays) else np


class OutOfMemoryError(MemoryError):
    """cupy.cuda.memory.OutOfMemoryError."""

    __module__ = "cupy.cuda.memory"


def modules() -> dict[str, types.ModuleType]:
    """Return the modules by their names, each an attribute of its parent."""
    own = {"ndarray": ndarray, "asnumpy": _asnumpy, "get_array_module": _get_array_module, "RawModule": RawModule}
    own["get_default_memory_pool"] = lambda: types.SimpleNamespace(total_bytes=lambda: 0)
    own["take_along_axis"] = functools.partial(_function, "cupy.take_along_axis", _take_along_axis)
    nothing = types.SimpleNamespace()
    made = {
        "cupy": Module("cupy", np, **own),
        "cupy.cuda": Module(
            "cupy.cuda",
            nothing,
            is_available=lambda: True,
            get_cublas_handle=lambda: cublas.HANDLE,
            Device=lambda: types.SimpleNamespace(compute_capability="90"),
        ),
        "cupy.cuda.cublas": Module("cupy.cuda.cublas", cublas),
        "cupy.cuda.memory": Module("cupy.cuda.memory", nothing, OutOfMemoryError=OutOfMemoryError),
        "cupy.cuda.runtime": Module(
            "cupy.cuda.runtime",
            nothing,
            memGetInfo=lambda: (FREE, TOTAL),
            getDeviceCount=lambda: 1,
            is_hip=False,
            CUDA_R_32F=0,
            CUDA_R_64F=1,
        ),
        "cupy.lib": Module("cupy.lib", nothing),
        "cupy.lib.stride_tricks": Module("cupy.lib.stride_tricks", np.lib.stride_tricks),
        "cupy.linalg": Module("cupy.linalg", np.linalg),
        "cupyx": Module("cupyx", nothing),
        "cupyx.scipy": Module("cupyx.scipy", nothing),
        "cupyx.scipy.ndimage": Module("cupyx.scipy.ndimage", scipy.ndimage),
    }
    made["cupy"].__version__ = "14.2.0, a stand-in"
    for name, module in made.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(made[parent], child, module)
    return made


@contextlib.contextmanager
def installed():
    """Put the stand-in where `import cupy` looks, and put back what was there."""
    ours = modules()
    before = {name: sys.modules.get(name) for name in ours}
    cublas.setMathMode(cublas.HANDLE, cublas.CUBLAS_DEFAULT_MATH)
    sys.modules.update(ours)
    try:
        yield ours["cupy"]
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
