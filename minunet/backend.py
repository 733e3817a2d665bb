"""NumPy or CuPy: the data decides. Layers and network ask here, and never import CuPy themselves.

What all rooms check of an argument is here, too. A layer takes arrays only: its result has the dtype of x, and a list
has none. Images, labels and masks may be anything that np.asarray makes an array of, but for masked arrays.
"""

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Annotated, Any, TypeAlias

import numpy as np

from minunet.errors import InputError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]  # or a cupy.ndarray, which has the same methods
Constant: TypeAlias = Annotated[Any, "the backward pass may leave out this argument's gradient"]
Params: TypeAlias = dict[str, Any]  # nested dicts and lists of arrays, as from `init_unet`; gradients look the same
LARGEST = 1e30
KINDS = {"biuf": "numbers", "iub": "integers", "iu": "integers", "b": "booleans", "f": "floating-point numbers"}
TF32_CAPABILITY = 80  # CuPy's way to write 8.0
TF32_TENSOR_OP_MATH = 3  # in cuBLAS's enumeration cublasMath_t; CuPy 14.2 has no name for it


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
        return map_tree(_import_cupy().asarray, tree)
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


def allow_tf32_if_asked(x: Array) -> None:
    """Let cuBLAS multiply batches of float32 matrices in TF32, if CUPY_TF32=1 asks for it and `x` is on the GPU.

    CuPy obeys CUPY_TF32 for single products only; the layers multiply batches of matrices. Whoever sets up work on a
    GPU calls this once, with any array of the work and in the thread that does it: cuBLAS keeps a setting per thread.
    """
    cupy = array_module(x)
    if cupy is not np and tf32_is_allowed():
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
    cupy = _import_cupy()
    free, _ = cupy.cuda.runtime.memGetInfo()
    return free + cupy.get_default_memory_pool().total_bytes()  # the pool keeps memory that was freed


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Return whether this is CuPy's error, which means that the GPU's memory is full, not the host's."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError)


def _import_cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        what = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        raise InputError(
            f"device 'gpu' needs CuPy, which {what}; install it with "
            'python -m pip install -e ".[gpu]", python -m pip install "cupy-cuda12x[ctk]" or conda install -c conda-forge '
            "cupy; where `import cupy` works already, nothing is to be installed"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CUDARuntimeError: no driver, no device, or a driver too old for this CuPy
        raise InputError(f"device 'gpu' needs a GPU that CuPy can use; it says {error}. {_driver_remedy(cupy)}") from error
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
        return (
            f"The driver is for CUDA {driver}, this CuPy for CUDA {needed}: update the driver, or install "
            f"cupy-cuda{driver}x[ctk] in CuPy's place"
        )
    return "Install the driver (nvidia.com/drivers; nvidia-smi shows whether it works), or use 'cpu'"


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
    return f"numpy.from_dlpack({part}) makes an array of it without a copy, and cupy.from_dlpack({part}) of one on a GPU"


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
