"""What gradcheck cannot take, refused by name and with the remedy, before it fails somewhere inside."""

import inspect
import types

import numpy as np

from minunet.backend import array_module, check_array
from minunet.errors import InputError

REMEDIES = {
    "torch": "a PyTorch tensor: pass NumPy arrays, and let an adapter of minunet.gradcheck.adapters wrap the function",
    "jax": "a JAX array: pass NumPy arrays, and let an adapter of minunet.gradcheck.adapters wrap the function",
    "jaxlib": "a JAX array: pass NumPy arrays, and let an adapter of minunet.gradcheck.adapters wrap the function",
    "tensorflow": "a TensorFlow tensor: convert it with .numpy()",
}


def is_array(x) -> bool:
    """Tell whether `x` is an array, or a NumPy scalar."""
    return hasattr(x, "dtype") and hasattr(x, "shape") and not isinstance(x, (type, types.ModuleType))


def check_function(function, name: str, count: int, arguments: str) -> None:
    """Raise InputError unless `function` can be called with so many `arguments`, such as "(dy, cache)"."""
    if not callable(function) or isinstance(function, type):
        raise InputError(
            f"{name} must be a function, got {_shown(function)}; pass the function itself, and not its name or result"
        )
    if not takes(function, count):
        remedy = ""
        if name == "backward" and inspect.ismethod(function) and takes(function, 1):
            remedy = (
                "; for a layer that keeps its cache on itself, use object_pair of minunet.gradcheck.adapters.objects"
            )
        raise InputError(
            f"{name} must take {arguments}, {count} in all, got {name}{inspect.signature(function)}{remedy}"
        )


def takes(function, count: int) -> bool:
    """Tell whether `function` can be called with so many arguments; so does one written in C, which does not say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def check_generator(rng) -> None:
    """Raise InputError unless `rng` can draw dy."""
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise InputError(f"rng must be a numpy.random.Generator, got {_shown(rng)}; pass np.random.default_rng(seed)")


def _shown(x) -> str:
    return repr(x) if isinstance(x, (str, int, float)) else f"a {type(x).__name__}"


def refuse(x, what: str) -> None:
    """Raise InputError if `x` holds numbers in a form that cannot be checked."""
    package = type(x).__module__.partition(".")[0]
    if package in REMEDIES and is_array(x):
        raise InputError(f"{what} must be a NumPy or CuPy array, got {REMEDIES[package]}")
    if is_array(x) and not hasattr(x.dtype, "kind"):
        raise InputError(f"{what} must be a NumPy or CuPy array, got a {type(x).__name__}; convert it with np.asarray")
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        raise InputError(f"{what} must be an array, got a sparse matrix; convert it with .toarray()")
    if isinstance(x, (np.ma.MaskedArray, np.matrix)):
        check_array(x, what)
    kind = x.dtype.kind if is_own_array(x) else "c" if isinstance(x, complex) else ""
    if kind == "c":
        raise InputError(
            f"{what} must be real, got complex numbers; let forward and backward take and return the real and the "
            "imaginary part as two arrays, such as x.real and x.imag"
        )
    if kind == "O":
        raise InputError(f"{what} must be an array of numbers, got one of Python objects; pass a list of arrays")


def is_own_array(x) -> bool:
    """Tell whether `x` is NumPy's or CuPy's."""
    return isinstance(x, (np.ndarray, np.generic)) or (is_array(x) and array_module(x) is not np)
