"""Build the fake driver, and CuPy's module `runtime` against it: build(python, folder).

fake.so      driver.cpp, graphs.cpp, blas.cpp and, for each other function that CuPy is linked with, one that says "not
             supported"
runtime.so   CuPy's own source, from its archive, linked with fake.so in place of CUDA's runtime
lib/         fake.so under the names by which CuPy looks for CUDA's libraries
kernel.h     with all that it includes, compiled ahead of time
"""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
VERSION = "14.2.0"
NAMES = ("libcuda.so.1", "libcublas.so", "libcublas.so.12", "libcublasLt.so.12")
CONSTANTS = {"CUPY_CUDA_VERSION": 12090, "CUPY_HIP_VERSION": 0, "CUPY_USE_CUDA_PYTHON": False}
FAST = ["-O2", "-std=c++17", "-fPIC", "-w"]


def build(python: Path, folder: Path) -> None:
    """Build all in `folder`, with the CuPy that `python` has installed."""
    packages = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"))
    cuda = [f"-I{path}" for path in sorted(packages.glob("nvidia/*/include"))]
    source = unpacked_source(python, folder)
    runtime = compiled_runtime(python, source, folder, cuda)
    objects = [
        compiled(HERE / name, folder, [*FAST, "-O3", "-march=native", *cuda])
        for name in ("driver.cpp", "graphs.cpp", "blas.cpp")
    ]
    (cublas,) = packages.glob("cupy_backends/cuda/libs/cublas.*.so")
    asked_for = names(["nm", "--undefined-only", runtime]) | names(["nm", "-D", "--undefined-only", cublas])
    there = set().union(*(names(["nm", "--defined-only", path]) for path in objects))
    stubs = folder / "stubs.c"
    stubs.write_text(
        "".join(
            f"int {name}() {{ return {801 if name.startswith('cuda') else 15}; }}\n"
            for name in sorted(asked_for - there)
        )
    )
    run("g++", "-shared", "-o", folder / "fake.so", *objects, compiled(stubs, folder, ["-x", "c", "-fPIC"]), "-ldl")
    run("g++", "-shared", "-o", folder / "runtime.so", runtime, folder / "fake.so", f"-Wl,-rpath,{folder}")
    (folder / "lib").mkdir(exist_ok=True)
    for name in NAMES:
        link = folder / "lib" / name
        link.unlink(missing_ok=True)
        link.symlink_to(folder / "fake.so")
    compile_header_ahead(folder, packages)


def unpacked_source(python: Path, folder: Path) -> Path:
    """Return the folder of CuPy's source archive, which pip gets."""
    source = folder / f"cupy-{VERSION}"
    if not source.exists():
        stub = {"CUPY_INSTALL_USE_STUB": "1"}  # pip asks the archive for its metadata, which needs no CUDA then
        run(
            python,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            "cupy",
            f"cupy=={VERSION}",
            "-d",
            folder,
            env=stub,
        )
        with tarfile.open(folder / f"cupy-{VERSION}.tar.gz") as archive:
            archive.extractall(folder)
    return source


def compiled_runtime(python: Path, source: Path, folder: Path, includes: list[str]) -> Path:
    """Compile CuPy's `runtime.pyx` by Cython and g++."""
    code = folder / "runtime.cpp"
    constants = [word for name, value in CONSTANTS.items() for word in ("-E", f"{name}={value}")]
    pyx = "cupy_backends/cuda/api/runtime.pyx"
    run(python, "-m", "cython", "--cplus", "-3", *constants, pyx, "-o", code, cwd=source)
    (folder / "cuda_profiler_api.h").write_text(
        'extern "C" int cudaProfilerStart(); extern "C" int cudaProfilerStop();'
    )
    python_headers = output(python, "-c", "import sysconfig; print(sysconfig.get_path('include'))")
    where = source / "cupy_backends" / "cuda" / "api"
    return compiled(
        code,
        folder,
        ["-O1", "-fPIC", "-w", f"-I{python_headers}", f"-I{folder}", f"-I{where}", f"-I{source}", *includes],
    )


def compile_header_ahead(folder: Path, packages: Path) -> None:
    """Compile kernel.h with and without fibers; hooks/cupy_changes.py compiles kernels with the same flags."""
    includes = [f"-I{packages}/cupy/_core/include", f"-I{folder}"]
    flags = ["-O1", "-std=c++17", "-fPIC", "-w", "-fsanitize=alignment", *includes]
    (folder / "flags.txt").write_text("\n".join(flags))
    (folder / "kernels").mkdir(exist_ok=True)
    for old in (folder / "kernels").iterdir():
        old.unlink()
    for name in ("call.h", "fibers.h", "tensor_core.h"):
        shutil.copy(HERE / name, folder)
    thrust = folder / "thrust/detail/config/namespace.h"  # all that CuPy's complex numbers need of thrust
    thrust.parent.mkdir(parents=True, exist_ok=True)
    thrust.write_text("#define THRUST_NAMESPACE_BEGIN namespace thrust {\n#define THRUST_NAMESPACE_END }\n")
    for name, options in (("kernel.h", []), ("kernel_with_fibers.h", ["-DWITH_FIBERS"])):
        shutil.copy(HERE / "kernel.h", folder / name)
        run("g++", *flags, *options, "-x", "c++-header", folder / name, "-o", folder / f"{name}.gch")


def compiled(source: Path, folder: Path, flags: list[str]) -> Path:
    path = folder / f"{source.stem}.o"
    run("g++", "-c", *flags, source, "-o", path)
    return path


def names(command: list) -> set[str]:
    """Return the names of functions of CUDA that nm prints."""
    return set(re.findall(r"\b((?:cuda|cublas)[A-Z]\w*)", output(*command)))


def output(*command) -> str:
    return run(*command).stdout.strip()


def run(*command, env=None, **options) -> subprocess.CompletedProcess:
    """Run a command; raise RuntimeError with what it printed if it fails."""
    import os

    environment = {**os.environ, **env} if env else None
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done
