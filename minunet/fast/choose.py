"""Which of a layer's implementations: the data decides, and whether the kernels compile."""

import os

import numpy as np

from minunet.backend import Array, array_module
from minunet.errors import InputError
from minunet.fast.cuda.loader import compiles

WAYS = ("auto", "readable")


def choose(readable, kernels, x: Array, on_cpu=None):
    """Return the module to take for arrays such as `x`.

    Parameters
    ----------
    readable : module
        Of `minunet/layers`.
    kernels : module or None
        Of `minunet/fast/cuda`, for CuPy arrays.
    x : array
    on_cpu : module or None
        For NumPy arrays, in place of the readable one.

    Should kernels not compile, the readable layers take their place, which know CuPy too, and one warning says so.
    MINUNET_KERNELS=readable in the environment rules them out.

    Raises
    ------
    InputError
        If MINUNET_KERNELS is set, and not to one of WAYS.
    """
    way = way_of("MINUNET_KERNELS", WAYS)
    if array_module(x) is np:
        return on_cpu or readable
    if way == "readable" or kernels is None:
        return readable
    return kernels if compiles(kernels.SOURCE, x) else readable


def way_of(variable: str, ways: tuple[str, ...]) -> str:
    """Return what the environment says, "auto" if nothing; raise InputError if it is none of `ways`."""
    way = os.environ.get(variable, "auto")
    if way not in ways:
        raise InputError(f"{variable} must be one of {', '.join(ways)}, got {way!r}; unset it for auto")
    return way
