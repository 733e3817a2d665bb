"""What `sitecustomize` changes in CuPy: the compiler of kernels, sorting, and where arrays get their memory."""

import ctypes
import functools
import hashlib
import os
import re
import subprocess
import threading
from pathlib import Path

import numpy as np

BUILD = Path(os.environ["GPU_ON_CPU"])
BOUNDS = r"(?:__launch_bounds__\([^)]*\)\s*)?"
KERNEL = re.compile(rf"__global__\s+{BOUNDS}void\s+{BOUNDS}(\w+)\s*\(")
BARRIERS = re.compile(r"__syncthreads|__syncwarp|__shfl")
FLAGS = (BUILD / "flags.txt").read_text().split("\n")  # of g++: those that kernel.h was compiled with ahead of time


def change_compiler(compiler) -> None:
    """Let CuPy's compiler return the name of a library for the CPU where it would return code for a GPU."""
    by_nvrtc = compiler._compile_using_nvrtc_no_warning

    @functools.wraps(by_nvrtc)
    def compile_for_the_cpu(source, options=(), *args, **kwargs):
        path = BUILD / "kernels" / (hashlib.sha256(f"{source}{options}".encode()).hexdigest()[:32] + ".so")
        if not path.exists():
            if "cupy/carray.cuh" not in source:  # it is not CuPy's own
                by_nvrtc(source, options, *args, **kwargs)
            build(source, [option for option in options if option.startswith("-D")], path)
        return b"FAKE:" + bytes(path) + b"\0", None

    compiler._compile_using_nvrtc_no_warning = compile_for_the_cpu
    compiler._preprocess = lambda *args: "the fake driver"


def build(source: str, options: list[str], path: Path) -> None:
    """Compile a kernel's source to a library; raise what the compiler says if it cannot."""
    fibers = ["-DWITH_FIBERS"] if BARRIERS.search(source) else []
    header = "kernel_with_fibers.h" if fibers else "kernel.h"
    entries = "".join(f"ENTRY({name})\n" for name in dict.fromkeys(KERNEL.findall(source)))
    text = f'#line 1 "kernel"\n{source}\n{entries}'
    if "#include" not in source:
        text = f"namespace ours {{\n{text}}}\n"  # its `real` is another one than that of CuPy's complex numbers
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    command = ["g++", *FLAGS, *fibers, *options, "-include", BUILD / header, "-shared", "-x", "c++", "-", "-o", new]
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"g++ does not compile the kernel {KERNEL.findall(source)}:\n{done.stderr[:3000]}")
    new.rename(path)  # at once, whatever other processes do


def change_sorting(sorting) -> None:
    """Let CuPy sort by NumPy."""
    sorting.thrust = Thrust


class Thrust:
    """The functions of cupy.cuda.thrust, on memory that is the host's."""

    @staticmethod
    def sort(dtype, data, keys, shape):
        memory(data, dtype, shape).sort(axis=-1)

    @staticmethod
    def argsort(dtype, indices, data, keys, shape):
        values = memory(data, dtype, shape)
        memory(indices, np.intp, shape)[...] = values.argsort(axis=-1, kind="stable")
        values.sort(axis=-1)

    @staticmethod
    def lexsort(dtype, indices, keys, k, n):
        memory(indices, np.intp, (n,))[...] = np.lexsort(memory(keys, dtype, (k, n)))


def memory(pointer: int, dtype, shape) -> np.ndarray:
    """Return the memory at this address as an array."""
    dtype, count = np.dtype(dtype), int(np.prod(shape))
    buffer = (ctypes.c_char * (count * dtype.itemsize)).from_address(pointer)
    return np.frombuffer(buffer, dtype).reshape(tuple(shape))


def change_allocator(cupy) -> None:
    """Give each array a block of its own, so that the driver sees what is written beyond it."""
    cupy.cuda.set_allocator(None)


CHANGES = {
    "cupy": change_allocator,
    "cupy.cuda.compiler": change_compiler,
    "cupy._core._routines_sorting": change_sorting,
}
