"""NVIDIA's compilers without a GPU: NVRTC, which CuPy calls, makes PTX of a source, and ptxas machine code of that.

Both are looked for in this Python's packages (the wheels nvidia-cuda-nvrtc and nvidia-cuda-nvcc), then in the CUDA
toolkit. `python tests/gpu_on_cpu/run.py` installs them.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple

PACKAGES = Path(sysconfig.get_path("platlib")) / "nvidia"
TOOLKIT = Path(os.environ.get("CUDA_PATH") or "/usr/local/cuda")


class Kernel(NamedTuple):
    """What ptxas says of a kernel."""

    name: str
    spilled: int  # bytes, stored and loaded
    registers: int  # of a thread
    shared: int  # bytes of shared memory, of a block


def _found(pattern: str, folder: str) -> Path | None:
    places = [*PACKAGES.glob(f"*/{folder}"), TOOLKIT / folder, TOOLKIT / "lib64"]
    return next((path for place in places for path in sorted(place.glob(pattern))), None)


NVRTC = _found("libnvrtc.so.[0-9]*", "lib")
PTXAS = _found("ptxas", "bin") or shutil.which("ptxas")
ARE_THERE = NVRTC is not None and PTXAS is not None


def nvrtc() -> ctypes.CDLL:
    """Return the library; it finds the second one, which it needs, if that is loaded already."""
    for builtins in NVRTC.parent.glob(NVRTC.name.replace("nvrtc", "nvrtc-builtins") + "*"):
        ctypes.CDLL(str(builtins))
    return ctypes.CDLL(str(NVRTC))


def architectures() -> list[int]:
    """Return the compute capabilities that NVRTC compiles for, such as 80."""
    library = nvrtc()
    count = ctypes.c_int()
    assert library.nvrtcGetNumSupportedArchs(ctypes.byref(count)) == 0
    found = (ctypes.c_int * count.value)()
    assert library.nvrtcGetSupportedArchs(found) == 0
    return list(found)


def ptx(source: str, capability: int) -> tuple[bytes, str]:
    """Return the PTX of a source and what NVRTC warns of in it; raise AssertionError if it does not compile."""
    library = nvrtc()
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    options = [b"-std=c++17", b"-arch=compute_%d" % capability]
    assert library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"source.cu", 0, None, None) == 0
    try:
        failed = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        assert not failed, log.value.decode()
        library.nvrtcGetPTXSize(program, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        library.nvrtcGetPTX(program, code)
        about_source = [line for line in log.value.decode().splitlines() if "Architectures prior" not in line]
        return code.value, "\n".join(about_source)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def kernels(code: bytes, capability: int, folder: Path) -> list[Kernel]:
    """Compile PTX for a GPU; return its kernels."""
    (folder / "source.ptx").write_bytes(code)
    command = [PTXAS, "-v", f"-arch=sm_{capability}", "source.ptx", "-o", "source.cubin"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = []
    for part in re.split(r"Compiling entry function ", done.stderr)[1:]:
        name = re.match(r"'(\w+)'", part).group(1)
        spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", part)
        registers = re.search(r"Used (\d+) registers", part).group(1)
        shared = re.search(r"(\d+) bytes smem", part)
        found.append(Kernel(name, sum(map(int, spills)), int(registers), int(shared.group(1)) if shared else 0))
    return found
