"""The facts about a machine and an installation that a bug report needs, for `minunet doctor`.

Nothing here fails: what cannot be found out is said in a line.
"""

import importlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from minunet import __version__
from minunet.fast.cpu import limits

LIBRARIES = ("numpy", "scipy", "matplotlib", "pillow", "tifffile", "threadpoolctl", "tqdm")
VARIABLES = ("OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "MINUNET_", "CUDA_", "CUPY_")
OLD_KERNELS = {"generic", "prescott", "core2", "penryn", "dunnington", "nehalem", "atom", "barcelona", "katmai"}


def facts() -> list[tuple[str, str]]:
    """Return (name, what there is) for each line that `minunet doctor` prints first."""
    rows = [
        ("minunet", f"{__version__} in {Path(__file__).parents[1]}"),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()}) in {sys.prefix}"),
        ("system", f"{platform.platform()}, {platform.machine()}"),
        ("cores", f"{limits.cores()} usable of {os.cpu_count()}"),
        ("memory", _memory()),
    ]
    rows += [(name, version(name)) for name in LIBRARIES]
    rows += [("BLAS", row) for row in _described_blas()]
    rows += [("CuPy", cupy_version()), ("GPU", gpu())]
    rows += [("environment", row) for row in environment() or ["none of " + " ".join(f"{name}*" for name in VARIABLES)]]
    return rows


def version(name: str) -> str:
    """Return the version of an installed library, or that it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def environment() -> list[str]:
    """Return NAME=value for each variable of the environment that changes how minunet computes."""
    return sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(VARIABLES))


def blas() -> list[dict]:
    """Return what threadpoolctl says of each BLAS in this process; raise ImportError without threadpoolctl."""
    from threadpoolctl import threadpool_info

    importlib.import_module("scipy.linalg")  # loads SciPy's own BLAS, where it has one
    return [library for library in threadpool_info() if library.get("user_api") == "blas"]


def _described_blas() -> list[str]:
    try:
        libraries = blas()
    except Exception as error:
        return [f"unknown: {in_one_line(error)}"]
    rows = [
        f"{library['internal_api']} {library['version'] or 'of unknown version'}, "
        f"{library.get('architecture') or 'unknown'} kernels, {library['num_threads']} threads, "
        f"in {Path(library['filepath']).name}"
        for library in libraries
    ]
    return rows or ["threadpoolctl finds none that it knows: NumPy decides about threads by itself"]


def cupy_version() -> str:
    """Return CuPy's version, or why there is none."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        return "not installed" if error.name == "cupy" else f"cannot be imported: {in_one_line(error)}"
    except Exception as error:  # it looks for CUDA's libraries while it is imported
        return f"cannot be imported: {in_one_line(error)}"
    return cupy.__version__


def gpu() -> str:
    """Return the name of the GPU, its memory, and the versions of driver and CUDA; or why there is none."""
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        free, total = cupy.cuda.runtime.memGetInfo()
        driver, runtime = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    except ImportError:
        return "none that minunet can use, without CuPy"
    except Exception as error:  # CUDARuntimeError, without driver or device
        return f"none: {in_one_line(error)}"
    return (
        f"{count} x {name}, {free / 1e9:.1f} GB free of {total / 1e9:.1f} GB, driver for CUDA {_cuda(driver)}, "
        f"runtime of CUDA {_cuda(runtime)}"
    )


def hints() -> list[str]:
    """Return what to change about the settings of BLAS, if anything."""
    try:
        libraries = blas()
    except Exception as error:
        return [f"BLAS cannot be asked about its threads ({in_one_line(error)}); python -m pip install threadpoolctl"]
    found, usable = [], limits.cores()
    threads = max((library["num_threads"] for library in libraries), default=1)
    if threads > usable:
        found.append(f"BLAS uses {threads} threads on {usable} cores: OPENBLAS_NUM_THREADS={usable} is quicker")
    elif libraries and threads < usable:
        found.append(f"BLAS uses {threads} of {usable} cores; that is right if other programs need the rest")
    old = {library["architecture"] for library in libraries if str(library.get("architecture")).lower() in OLD_KERNELS}
    if "OPENBLAS_CORETYPE" in os.environ:
        found.append("OPENBLAS_CORETYPE chooses the kernels of BLAS by hand; unset it, and BLAS takes the best ones")
    elif old:
        found.append(f"BLAS uses its {', '.join(sorted(old))} kernels, those for old processors")
    there = limits.memory()
    if there is not None and there.free < 1e9:
        found.append(f"only {there.free / 1e9:.1f} GB of memory are free; close other programs")
    return found


def in_one_line(error: BaseException) -> str:
    """Return the class and the first line of an error."""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _memory() -> str:
    there = limits.memory()
    if there is None:
        return "unknown, without psutil"
    return f"{there.free / 1e9:.1f} GB free of {there.total / 1e9:.1f} GB"
