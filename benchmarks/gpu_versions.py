"""Print the versions of what a GPU's timings depend on: python benchmarks/gpu_versions.py"""

import importlib.util
import sys

import cupy
import numpy as np


def main() -> None:
    runtime, cublas = cupy.cuda.runtime, cupy.cuda.cublas
    handle = cupy.cuda.get_cublas_handle()
    device = runtime.getDeviceProperties(0)
    versions = {
        "Python": sys.version.split()[0],
        "NumPy": np.__version__,
        "CuPy": cupy.__version__,
        "driver": runtime.driverGetVersion(),
        "CUDA runtime": runtime.runtimeGetVersion(),
        "NVRTC": ".".join(map(str, cupy.cuda.nvrtc.getVersion())),
        "cuBLAS": cublas.getVersion(handle),
        "compute capability": f"{device['major']}.{device['minor']}, {device['multiProcessorCount']} multiprocessors",
    }
    if importlib.util.find_spec("torch"):
        import torch

        versions |= {"PyTorch": torch.__version__, "its CUDA": torch.version.cuda}
        versions["its cuDNN"] = torch.backends.cudnn.version()
    for name, version in versions.items():
        print(f"{name:<20}{version}")


if __name__ == "__main__":
    main()
