"""Run the tests marked `gpu` on the real CuPy without a GPU: python tests/gpu_on_cpu/run.py [options of pytest]

CuPy is the wheel that a GPU would get. Below it lies a driver of our own (driver.cpp, blas.cpp) whose GPU is the CPU:
each kernel, minunet's and CuPy's, is compiled by g++ and runs there. So the tests meet CuPy's own checks, names and
copies, and launches and bytes can be counted (device.py). They say nothing of speed, of races, of how cuBLAS rounds.
Without a GPU these tests run here and nowhere else: `python -m pytest` skips them.

The first run makes a virtual environment and builds all that is needed, which takes some minutes; both are kept in
MINUNET_GPU_ON_CPU, by default ~/.cache/minunet/gpu_on_cpu. Where there is no Linux, compiler or network, it says so and
ends with code 0, or with 1 if the first option is --must-run. What is there and does not build is a failure.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import build  # noqa: E402

FOLDER = Path(os.environ.get("MINUNET_GPU_ON_CPU") or Path.home() / ".cache" / "minunet" / "gpu_on_cpu")
CUDA = [f"nvidia-cuda-{name}-cu12==12.9.*" for name in ("nvrtc", "runtime", "nvcc")]  # a compiler, and headers
PACKAGES = [
    f"cupy-cuda12x=={build.VERSION}",
    *CUDA,
    "cython",
    "pytest>=8",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    str(ROOT),
]


def main(options: list[str]) -> int:
    """Build what is not built yet, and run pytest; return its exit code."""
    must_run = options[:1] == ["--must-run"]
    if reason := what_is_missing():
        print(f"left out: the tests on the real CuPy need {reason}")
        return int(must_run)
    python = FOLDER / "venv" / "bin" / "python"
    try:
        install(python)
    except RuntimeError as error:
        print(f"left out: the tests on the real CuPy need packages that cannot be installed here:\n{error}")
        return int(must_run)
    if is_stale(FOLDER / "built"):
        print(f"building the fake driver in {FOLDER}", flush=True)
        build.build(python, FOLDER)
        (FOLDER / "built").touch()
    command = [python, "-m", "pytest", "-m", "gpu", "-n", "2", *options[must_run:]]
    return subprocess.run(command, cwd=ROOT, env=environment()).returncode


def what_is_missing() -> str | None:
    """Return what is missing for a build, None if nothing is."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"Linux on x86_64, this is {platform.system()} on {platform.machine()}"
    missing = [program for program in ("g++", "nm") if shutil.which(program) is None]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("Python.h")
    return f"{' and '.join(missing)}: not found" if missing else None


def install(python: Path) -> None:
    """Get all that pip gets, unless it is there already; raise RuntimeError with what pip says if it cannot."""
    done = FOLDER / "installed.txt"
    wanted = "\n".join(PACKAGES)
    if done.exists() and done.read_text() == wanted:
        return
    print(f"installing CuPy in {FOLDER}", flush=True)
    build.run(sys.executable, "-m", "venv", python.parents[1])
    build.run(python, "-m", "pip", "install", "-q", *PACKAGES)
    build.unpacked_source(python, FOLDER)
    done.write_text(wanted)


def is_stale(built: Path) -> bool:
    """Tell whether a source is younger than what was built of it."""
    sources = [path for pattern in ("*.cpp", "*.h", "build.py") for path in HERE.glob(pattern)]
    return not built.exists() or max(path.stat().st_mtime for path in sources) > built.stat().st_mtime


def environment() -> dict[str, str]:
    """Return the environment in which Python finds the fake driver."""
    path = os.pathsep.join([str(HERE / "hooks"), str(ROOT)])
    own = {"GPU_ON_CPU": str(FOLDER), "PYTHONPATH": path, "LD_LIBRARY_PATH": str(FOLDER / "lib")}
    cupy = {"CUPY_ACCELERATORS": "", "CUPY_CACHE_IN_MEMORY": "1"}  # without CUB, whose kernels are compiled for GPUs
    return {**os.environ, **own, **cupy, "OPENBLAS_NUM_THREADS": "1"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
