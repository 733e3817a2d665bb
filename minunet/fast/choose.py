"""Which module does a layer: the readable one, that for a CPU, or CUDA kernels. `plan.py` chooses for convolutions."""

from types import ModuleType

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.cuda import loader
from minunet.fast.environment import kernels_are_allowed


def choose(
    readable: ModuleType, x: Array, *, kernels: ModuleType | None = None, on_cpu: ModuleType | None = None
) -> ModuleType:
    """Return the module to use for arrays such as `x`.

    Parameters
    ----------
    readable : module of `minunet/layers`
    x : array
    kernels : module of `minunet/fast/cuda`, optional
        For CuPy arrays, unless MINUNET_KERNELS forbids it or the kernels do not compile. In the latter case one warning
        says so.
    on_cpu : module of `minunet/fast/cpu`, optional
        For NumPy arrays.
    """
    allowed = kernels_are_allowed()  # asked first, so that a wrong MINUNET_KERNELS is an error on a CPU, too
    if array_module(x) is np:
        return readable if on_cpu is None else on_cpu
    if kernels is not None and allowed and loader.compiles(kernels.SOURCE, x):
        return kernels
    return readable
