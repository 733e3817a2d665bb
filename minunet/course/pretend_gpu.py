"""A pretend GPU: NumPy with the rules of CuPy, for machines that have neither CuPy nor a GPU.

with pretend_gpu.installed() as log:
    y, cache = relu_forward(to_device(x, "gpu"))    # the library's own lines, on a pretend device
print(log.kernels, log.trips)                       # how many kernels and transfers that took

It computes on the CPU and tells nothing about speed. It is strict where CuPy is strict: arrays on the host and on the
device cannot be mixed, and an array comes back to the host only by a call that asks for it. As in CuPy, NumPy's own
functions accept its arrays and leave the result on the device. Of the names that CuPy lacks, it lacks only some. On a
GPU, results may be rounded differently.
"""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

MISSING = {"block", "insert", "errstate", "nditer", "ndenumerate", "vecdot", "unstack"}  # what CuPy 14 lacks
TO_THE_HOST = {"get", "item", "tolist"}  # methods that return values on the host
SHOWN = 60  # characters of a line of code


class Log:
    """What was asked of the device."""

    def __init__(self):
        self.kernels = 0  # operations that compute; on a GPU each takes at least one kernel
        self.trips: list[str] = []  # the lines of code at which the host waited for a value from the device
        self.numbers_copied = 0  # to the host, in all trips


log = Log()  # of the current `with installed()` block


class ImplicitConversionError(TypeError, ValueError):
    """An array on the device would have become one on the host without a call that asks for it."""


class PretendArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the pretend device; its values come to the host only by a call that asks, such as `asnumpy`."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return _on_device(getattr(ufunc, method), args, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return _on_device(function, args, kwargs)

    def __array__(self, *_, **__):
        raise ImplicitConversionError("Implicit conversion to a NumPy array is not allowed; use to_device(x, 'cpu')")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name in TO_THE_HOST:
            on_host = asnumpy(self)
            return (lambda: on_host) if name == "get" else getattr(on_host, name)
        attribute = getattr(self._values, name)
        if callable(attribute):
            return lambda *args, **kwargs: _on_device(attribute, args, kwargs)
        return _wrapped(attribute)

    def __getitem__(self, index):
        return PretendArray(self._values[_unwrapped(index)])

    def __setitem__(self, index, value):
        place = self._values[_unwrapped(index)]
        if isinstance(value, PretendArray) and place.__array_interface__ == value._values.__array_interface__:
            return  # the second half of x[index] += 1: the sum is already in place
        _on_device(self._values.__setitem__, (index, value), {})

    def __len__(self):
        return len(self._values)

    def __float__(self):
        return float(asnumpy(self))

    def __int__(self):
        return int(asnumpy(self))

    def __bool__(self):
        return bool(asnumpy(self))

    def __repr__(self):
        return f"PretendArray, shape {self.shape}, {self.dtype}"


class PretendModule:
    """Stands in for the module `cupy`: NumPy's names, for arrays on the pretend device."""

    __name__ = "pretend cupy"
    ndarray = PretendArray
    cublas = SimpleNamespace(setMathMode=lambda handle, mode: None)  # it always multiplies in full precision
    runtime = SimpleNamespace(getDeviceCount=lambda: 1)
    cuda = SimpleNamespace(is_available=lambda: True, get_cublas_handle=lambda: None, cublas=cublas, runtime=runtime)

    def __getattr__(self, name):
        if name in MISSING:
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        value = getattr(np, name)
        if isinstance(value, type) or not callable(value):  # a dtype, pi, newaxis
            return value
        return lambda *args, **kwargs: _on_device(value, args, kwargs)

    def array(self, x, *args, **kwargs):
        return PretendArray(np.array(x._values if isinstance(x, PretendArray) else x, *args, **kwargs))

    def asarray(self, x, dtype=None):
        already = isinstance(x, PretendArray) and dtype in (None, x.dtype)
        return x if already else self.array(x, dtype)

    def asnumpy(self, x):
        return asnumpy(x)


def asnumpy(x: PretendArray) -> np.ndarray:
    """Return a copy on the host, and note in the log which line of code asked for it."""
    frame = [f for f in traceback.extract_stack() if f.filename != __file__][-1]
    line = frame.line or ""
    log.trips.append(f"{frame.name}: {line[:SHOWN]}")
    log.numbers_copied += x._values.size
    return x._values.copy()


def array_module(x):
    """Return the module that made `x`, as `minunet.array_module` does: the pretend CuPy, or NumPy."""
    return PretendModule() if isinstance(x, PretendArray) else np


@contextlib.contextmanager
def installed() -> Iterator[Log]:
    """Put the pretend CuPy in the place of the real one, until the end of the block; yield the log of the block."""
    global log
    log, before = Log(), sys.modules.get("cupy")
    sys.modules["cupy"] = PretendModule()  # type: ignore[assignment]
    try:
        yield log
    finally:
        del sys.modules["cupy"]
        if before is not None:
            sys.modules["cupy"] = before


def _on_device(function, args: tuple, kwargs: dict):
    host_args, host_kwargs = _unwrapped(args), _unwrapped(kwargs)
    result = function(*host_args, **host_kwargs)
    if not _only_looks(function, host_args, host_kwargs, result):
        log.kernels += 1
    return _wrapped(result)


def _only_looks(function, args: tuple, kwargs: dict, result) -> bool:
    """Return whether nothing was computed: the result is a view, such as a transpose, or memory without values."""
    if function is np.empty:
        return True
    sources = [x for x in (getattr(function, "__self__", None), *args) if isinstance(x, np.ndarray)]
    is_array = isinstance(result, np.ndarray) and "out" not in kwargs
    return is_array and any(np.may_share_memory(result, source) for source in sources)


def _unwrapped(x):
    if isinstance(x, PretendArray):
        return x._values
    if isinstance(x, np.ndarray) and x.ndim:
        raise TypeError(f"Unsupported type {type(x)}: an array on the host was mixed with one on the device")
    if isinstance(x, dict):
        return {name: _unwrapped(value) for name, value in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)(_unwrapped(value) for value in x)
    return x


def _wrapped(x):
    if isinstance(x, (np.ndarray, np.number, np.bool_)):
        return PretendArray(x)
    if isinstance(x, (tuple, list)) and not all(isinstance(value, int) for value in x):  # a shape stays a shape
        return type(x)(_wrapped(value) for value in x)
    return x
