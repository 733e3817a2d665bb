"""The array of the stand-in: NumPy's inside, and no way out but `get` and `asnumpy`."""

import contextlib
import copy
import functools
import threading
import types

import numpy as np

from strict_cupy.cublas import as_multiplied
from strict_cupy.names import NAMES, check_arguments, check_name

# The values decide how large the result is, or whether there is one.
WAITS = "argwhere bincount choose compress extract flatnonzero nonzero unique union1d intersect1d setdiff1d".split()
_here = threading.local()  # each thread has its own answer to "may I wait for the GPU now?"


class HiddenTripError(AssertionError):
    """The host read device memory, and would have waited for the GPU, where it must not."""


@contextlib.contextmanager
def no_trips():
    """Let every trip from the device to the host raise HiddenTripError, in this thread."""
    _here.is_forbidden = True
    try:
        yield
    finally:
        _here.is_forbidden = False


def trip(how: str) -> None:
    """Note that the host waits for the device here."""
    if getattr(_here, "is_forbidden", False):
        raise HiddenTripError(f"{how} makes the host wait for the GPU")


class ndarray:  # noqa: N801 - CuPy's name
    """An array on the device, as far as anyone outside can tell."""

    __module__ = "cupy"
    __slots__ = ("_memory",)
    __hash__ = None

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """Do as CuPy does when a function of NumPy gets an array of CuPy: let CuPy's own function have it."""
        if method != "__call__":
            raise TypeError(f"numpy.{ufunc.__name__}.{method} of a device array")
        check_name(f"cupy.{ufunc.__name__}")
        outputs = kwargs.get("out", (None,))
        kwargs = {**kwargs, "out": outputs[0]} if outputs[0] is not None else kwargs
        return call(f"cupy.{ufunc.__name__}", ufunc, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        package, _, rest = f"{function.__module__}.{function.__name__}".partition(".")
        if package != "numpy":
            return NotImplemented
        check_name(f"cupy.{rest}")
        return call(f"cupy.{rest}", function, args, kwargs)

    # What leads back to the host

    def get(self, stream=None, order="C", out=None, blocking=True):
        trip("get")
        return self._memory.copy(order)

    def item(self, *index):
        trip("item")
        return self._memory.item(*index)

    def tolist(self):
        trip("tolist")
        return self._memory.tolist()

    def __bool__(self):
        trip("bool")
        return bool(self._memory)

    def __float__(self):
        trip("float")
        return float(self._memory)

    def __int__(self):
        trip("int")
        return int(self._memory)

    def __complex__(self):
        trip("complex")
        return complex(self._memory)

    def __str__(self):
        trip("str")
        return str(self._memory)

    def __repr__(self):
        trip("repr")
        return repr(self._memory)

    def __format__(self, spec):
        trip("format")
        return format(self._memory, spec)

    # Parts

    def __len__(self):
        return len(self._memory)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        return on_device(self._memory[_index(index)])

    def __setitem__(self, index, value):
        self._memory[_index(index)] = unwrapped("cupy.ndarray.__setitem__", value)

    # Attributes and methods

    def __getattr__(self, name):
        check_name(f"cupy.ndarray.{name}")
        value = getattr(self._memory, name)
        if not callable(value):
            return on_device(value)
        return functools.partial(_method, name, value)

    @property
    def device(self):
        return "the stand-in"

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._memory.ctypes.data)

    def __copy__(self):
        return on_device(self._memory.copy())

    def __deepcopy__(self, memo):
        return on_device(copy.deepcopy(self._memory, memo))


def _method(name: str, method, *args, **kwargs):
    return call(f"cupy.ndarray.{name}", method, args, kwargs)


def _operator(name: str):
    def operate(self, *others):
        _check_operands(f"cupy.ndarray.{name}", others)
        memory, others = self._memory, [unwrapped(f"cupy.ndarray.{name}", other) for other in others]
        if name in ("__matmul__", "__rmatmul__"):
            memory, others = as_multiplied(memory), [as_multiplied(other) for other in others]
        result = getattr(memory, name)(*others)
        return self if result is self._memory else on_device(result)

    return operate


NAMED = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
OPERATORS = [f"__{kind}{name}__" for name in NAMED.split() for kind in ("", "r", "i")]
OPERATORS += [f"__{name}__" for name in "eq ne lt le gt ge neg pos abs invert divmod rdivmod".split()]
for _name in OPERATORS:
    if f"cupy.ndarray.{_name}" in NAMES:
        setattr(ndarray, _name, _operator(_name))


def call(name: str, function, args, kwargs):
    """Call NumPy's function as CuPy's of this name would be called: with arrays of the device only."""
    check_arguments(name, args, kwargs)
    short = name.rpartition(".")[2]
    if short == "sliding_window_view" and (kwargs.get("writeable") or len(args) > 4):
        raise NotImplementedError("Writeable views are not supported")  # as CuPy, which has the argument
    if short in WAITS or (name == "cupy.where" and len(args) == 1):
        trip(short)
    if isinstance(function, np.ufunc):
        _check_operands(name, args)
    args = [unwrapped(name, argument) for argument in args]
    if short == "matmul":
        args = [as_multiplied(argument) for argument in args]
    kwargs = {keyword: unwrapped(name, argument) for keyword, argument in kwargs.items()}
    out = kwargs.get("out")
    result = function(*args, **kwargs)
    return result if result is None else on_device(out if out is not None else result)


def _check_operands(name: str, operands) -> None:
    for operand in operands:
        if isinstance(operand, (list, tuple)):
            raise TypeError(f"Unsupported type {type(operand)} as an operand of {name}")


def unwrapped(name: str, argument):
    """Return an argument with NumPy's arrays in place of those of the device; refuse arrays of the host."""
    if isinstance(argument, ndarray):
        return argument._memory
    if isinstance(argument, np.ndarray):
        raise TypeError(f"Unsupported type {type(argument)} for {name}: an array of the host among those of the device")
    if isinstance(argument, (list, tuple)):
        return type(argument)(unwrapped(name, part) for part in argument)
    return argument


def on_device(value):
    """Return an array, or a scalar as an array of no axes, as one of the device; what is neither stays as it is."""
    if isinstance(value, (list, tuple)):
        return type(value)(on_device(part) for part in value) if _holds_arrays(value) else value
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    memory = np.asarray(value)
    if memory.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {memory.dtype}")
    array = object.__new__(ndarray)
    array._memory = memory
    return array


def _holds_arrays(values) -> bool:
    return any(isinstance(value, (np.ndarray, np.generic, list, tuple)) for value in values)


def _index(index):
    """Return an index as NumPy takes it; with an Ellipsis at its end NumPy, too, gives arrays without axes."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if isinstance(part, (np.ndarray, list)):
            raise TypeError(f"an index {type(part)} of the host would be copied to the device each time")
        if isinstance(part, ndarray) and part.dtype == bool:
            trip("a mask as an index")  # CuPy counts what is True before it can go on, in an assignment too
    parts = tuple(unwrapped("index", part) for part in parts)
    return parts if any(part is Ellipsis for part in parts) else (*parts, Ellipsis)
