"""Let Python import CuPy so that it runs on the fake driver; `run.py` puts this folder on PYTHONPATH.

Python imports a module of this name by itself when it starts, in the processes that tests start, too. What is changed
in CuPy, as it is imported:

    cupy_backends.cuda.api.runtime   is taken from the build folder: the wheel's has CUDA's runtime inside
    cupy.cuda.compiler               compiles a kernel for the CPU, and ours by NVRTC, too, for what NVRTC finds wrong
    cupy._core._routines_sorting     sorts by NumPy, in place of thrust, which is compiled for GPUs
    cupy                             takes memory for each array, without a pool
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

BUILD = os.environ.get("GPU_ON_CPU")  # the build folder


class Finder(importlib.abc.MetaPathFinder):
    """Finds CuPy's runtime in the build folder, and changes other modules after their import."""

    def find_spec(self, name, path, target=None):
        if name == "cupy_backends.cuda.api.runtime":
            return importlib.util.spec_from_file_location(name, os.path.join(BUILD, "runtime.so"))
        if name not in ("cupy", "cupy.cuda.compiler", "cupy._core._routines_sorting"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            import cupy_changes

            cupy_changes.CHANGES[name](module)

        spec.loader.exec_module = exec_module
        return spec


if BUILD:
    sys.meta_path.insert(0, Finder())
