"""CUDA kernels on a CPU: `RawModule` does with g++ what CuPy's does with NVRTC, thread after thread.

Each array is handed to the kernel as a copy between two margins. What is read from there is not a number, and a write
is found, even of what was read from another array's margin: each has a pattern of its own. Arguments of the wrong
number, kind or size are refused.
"""

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np

from strict_cupy.arrays import ndarray

HEADER = Path(__file__).with_name("raw_module.h")
MARGIN = 4096  # bytes
COMPILER = shutil.which("g++")
_lock = threading.Lock()  # shared memory is one for all: one kernel at a time


class RawModule:
    def __init__(self, *, code, options=()):
        self.code, self.options = code, options

    def compile(self):
        return _library(self.code, self.options)

    def get_function(self, name):
        return functools.partial(_run, getattr(self.compile(), f"launch_{name}"))


def _run(launcher, grid, block, args):
    """Call a kernel as CuPy's RawKernel is called: with arrays of the device and NumPy's scalars."""
    assert all(isinstance(x, (ndarray, np.generic)) for x in args), "a kernel takes arrays of the device, and scalars"
    arrays = {i: x._memory for i, x in enumerate(args) if isinstance(x, ndarray)}
    framed = {i: _between_margins(x, _margin(i)) for i, x in arrays.items()}
    values = [np.array([framed[i].ctypes.data + MARGIN if i in arrays else x]) for i, x in enumerate(args)]
    count = len(args)
    pointers = (ctypes.c_void_p * count)(*(value.ctypes.data for value in values))
    sizes = (ctypes.c_int * count)(*(value.itemsize for value in values))
    with _lock:
        wrong = launcher(*grid, *block, pointers, sizes, count)
    assert not wrong, f"the kernel takes another number of arguments, or argument {wrong} has another size"
    for i, x in arrays.items():
        before, body, after = np.split(framed[i], [MARGIN, MARGIN + x.nbytes])
        assert before.tobytes() == after.tobytes() == _margin(i).tobytes(), (
            f"the kernel has written beyond argument {i + 1}"
        )
        if body.tobytes() != x.tobytes():
            x[...] = body.view(x.dtype).reshape(x.shape)


def _margin(i):
    """Return the bytes around argument i: as float, double or half they are no numbers."""
    return np.full(MARGIN // 4, 0xFFFFFF00 + i, np.uint32).view(np.uint8)


def _between_margins(x, margin):
    assert x.flags.c_contiguous, "a kernel reads contiguous arrays"
    return np.concatenate([margin, np.frombuffer(x.tobytes(), np.uint8), margin])


@functools.cache
def _library(code, options):
    names = re.findall(r'extern "C" __global__ void (?:__launch_bounds__\(.*?\) )?(\w+)\(', code)
    fibers = ["-DWITH_FIBERS"] if "__syncthreads" in code else []
    launchers = [
        f'extern "C" int launch_{name}(unsigned blocks, unsigned threads, void **args, const int *sizes, int count)'
        f" {{ return launch({name}, blocks, threads, args, sizes, count); }}"
        for name in names
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        source.write_text("\n".join([f'#include "{HEADER}"', code, *launchers]))
        flags = ["-O1", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-shared", "-fPIC", *fibers, *options]
        result = subprocess.run([COMPILER, *flags, source, "-o", library], capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(result.stderr)
        return ctypes.CDLL(str(library))
