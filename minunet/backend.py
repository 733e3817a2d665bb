"""NumPy or CuPy: the data decides. Layers and network ask here, and never import CuPy themselves.

What all rooms check of an argument is here, too. A layer takes arrays only: its result has the dtype of x, and a list
has none. Images, labels and masks may be anything that np.asarray makes an array of, but for masked arrays.
"""

import importlib
import math
import sys
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Annotated, Any, TypeAlias

import numpy as np

from minunet.errors import InputError
from minunet.gpu import import_cupy

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]  # or a cupy.ndarray, which has the same methods
Constant: TypeAlias = Annotated[Any, "the backward pass may leave out this argument's gradient"]
Params: TypeAlias = dict[str, Any]  # nested dicts and lists of arrays, as from `init_unet`; gradients look the same
LARGEST = 1e30
KINDS = {"biuf": "numbers", "iub": "integers", "iu": "integers", "b": "booleans", "f": "floating-point numbers"}


def array_module(x: Any) -> Any:
    """Return the module that made `x`: cupy for a CuPy array, numpy for everything else."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(x, cupy.ndarray) else np


def to_device(tree: Any, device: str) -> Any:
    """Copy every array of nested dicts, lists and tuples to `device`, "cpu" or "gpu".

    Arrays that are there already are returned as they are; None and scalars pass through.

    Raises
    ------
    InputError
        If `device` is unknown, or "gpu" is asked for where CuPy or the GPU is missing.
    """
    if device == "cpu":
        return map_tree(to_host, tree)
    if device == "gpu":
        return map_tree(import_cupy().asarray, tree)
    raise InputError(f"device must be 'cpu' or 'gpu', got {device!r}; use 'cpu' where there is no NVIDIA GPU")


def to_host(x: Array) -> np.ndarray:
    """Return `x` itself if it is NumPy's, else a copy from the GPU."""
    xp = array_module(x)
    return x if xp is np else xp.asnumpy(x)


def map_tree(function: Callable, tree: Any) -> Any:
    """Apply `function` to every array in nested dicts, lists, tuples and NamedTuples."""
    if isinstance(tree, dict):
        return {name: map_tree(function, branch) for name, branch in tree.items()}
    if isinstance(tree, list):
        return [map_tree(function, branch) for branch in tree]
    if isinstance(tree, tuple):
        branches = [map_tree(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    is_array = hasattr(tree, "dtype") and hasattr(tree, "shape")
    return function(tree) if is_array else tree


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return {dotted name: array}, such as encode.0.conv1.weight, in the order of the tree."""
    branches: Iterable[tuple[Any, Any]]
    if isinstance(tree, dict):
        branches = tree.items()
    elif isinstance(tree, (list, tuple)):
        names = getattr(tree, "_fields", range(len(tree)))  # of a NamedTuple its fields, else numbers
        branches = zip(names, tree, strict=True)
    else:
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for name, branch in branches:
        flat.update(flatten(branch, f"{prefix}.{name}" if prefix else str(name)))
    return flat


def ndimage_of(x: Array) -> Any:
    """Return the module of image operations for `x`: cupyx.scipy.ndimage for a CuPy array, else scipy.ndimage."""
    name = "scipy.ndimage" if array_module(x) is np else "cupyx.scipy.ndimage"
    return importlib.import_module(name)  # only when needed, since this import is slow


def is_whole_number(x: Any) -> bool:
    """Tell whether `x` can be a size or a count: an integer of Python or NumPy, and not True or False."""
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def is_number(x: Any) -> bool:
    """Tell whether `x` is a finite real number: of Python, of NumPy, or a 0-d array."""
    is_scalar = isinstance(x, Real) or (getattr(x, "shape", None) == () and getattr(x.dtype, "kind", "") in "iuf")
    try:
        return is_scalar and math.isfinite(x)
    except OverflowError:  # a whole number that is too large for a float
        return False


def check_whole_number(name: str, x: Any, at_least: int, remedy: str, at_most: float = math.inf) -> None:
    """Raise unless `x` is a whole number within these limits."""
    if not is_whole_number(x) or not at_least <= x <= at_most:
        limits = f"from {at_least} to {at_most}" if at_most < math.inf else f"of at least {at_least}"
        raise InputError(f"{name} must be a whole number {limits}, got {x!r:.80}; {remedy}")


def check_generator(rng: Any) -> np.random.Generator:
    """Return `rng`; raise unless it is a random generator."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng must be a numpy.random.Generator, got {rng!r:.80}; pass np.random.default_rng(seed)")
    return rng


def check_array(x: Any, name: str) -> None:
    """Raise unless `x` is an array of NumPy or CuPy, and no masked array or matrix, which mean something else."""
    if type(x) is np.ndarray:
        return
    check_has_no_mask(x, name)
    if isinstance(x, np.matrix):
        raise InputError(f"{name} must be an array, got a matrix, whose * is another one; convert it with np.asarray")
    if not isinstance(x, (np.ndarray, np.generic)) and array_module(x) is np:
        raise InputError(f"{name} must be an array, got {type(x).__name__}; {_conversion(x, name)}")


def _conversion(x: Any, name: str) -> str:
    """Return how to make an array of `x`: a tensor of PyTorch and the like needs no copy."""
    if not hasattr(x, "__dlpack__"):
        return "convert it with np.asarray"
    part = f"{name}.detach()" if getattr(x, "requires_grad", False) else name
    return (
        f"numpy.from_dlpack({part}) makes an array of it without a copy, and cupy.from_dlpack({part}) of one on a GPU"
    )


def as_array(x: Any, name: str, kinds: str = "biuf") -> Array:
    """Return `x`, or what np.asarray makes of it; raise unless it holds numbers of one of the `kinds` of dtype."""
    check_has_no_mask(x, name)
    try:
        array = x if array_module(x) is not np else np.asarray(x)
    except Exception as error:  # whatever the class of x raises: a ragged list, a tensor on a GPU
        raise InputError(
            f"{name} must be an array, got a {type(x).__name__} that np.asarray cannot convert; {error}"
        ) from error
    if array.dtype.kind not in kinds:
        raise InputError(f"{name} must hold {KINDS[kinds]}, got {_described(x, array)}; convert it with .astype")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_list(x: Any, name: str) -> list:
    """Return a sequence of images, or an array (N, ...), as a list."""
    if not isinstance(x, (list, tuple)) and getattr(x, "ndim", 0) < 3:
        raise InputError(
            f"{name} must be a list, with an entry for each image, got a {type(x).__name__}; write [{name}]"
        )
    return list(x)


def check_has_no_mask(x: Any, name: str) -> None:
    """Raise if `x` is a masked array, whose mask all of minunet would overlook."""
    if isinstance(x, np.ma.MaskedArray):
        raise InputError(f"{name} must be an array without a mask, got a masked array; {name}.filled(0) fills it, say")


def _described(x: Any, array: Array) -> str:
    is_array = hasattr(x, "dtype") or isinstance(x, (list, tuple))
    return f"{array.dtype}" if is_array else f"a {type(x).__name__}"


def check_finite(x: Array, name: str) -> None:
    """Raise if there is NaN, infinity or a number beyond LARGEST in an array; sums and squares of those overflow."""
    if x.dtype.kind != "f" or not x.size:
        return
    low, high = float(x.min()), float(x.max())
    if not -LARGEST <= low <= high <= LARGEST:  # NaN is not <= anything
        worst = high if low >= -LARGEST else low
        raise InputError(
            f"{name} must be finite, and at most {LARGEST:.0e}, got {worst:.3g}; replace it, with numpy.nan_to_num for "
            "example"
        )


def check_same_device(**arrays: Array | float) -> None:
    """Raise unless all arrays are on the device of the first one; Python numbers and NumPy scalars go anywhere."""
    (first_name, first), *others = arrays.items()
    for name, array in others:
        is_scalar = array_module(array) is np and np.ndim(array) == 0
        if array_module(array) is not array_module(first) and not is_scalar:
            raise InputError(
                f"{name} must be on the device of {first_name} ({_device(first)}), got an array on the "
                f"{_device(array)}; move it with minunet.to_device"
            )


def _device(array: Array | float) -> str:
    return "host" if array_module(array) is np else "GPU"
