"""The environment variables that overrule what `minunet/fast` decides.

MINUNET_CONVOLUTION   auto           `plan.py` decides (the default)
                      readable       the readable convolution, on CPU and GPU
                      direct         no Winograd: the direct convolution on a CPU, the readable one on a GPU
                      im2col         on a CPU one product with what each pixel of y sees, wherever the kernel is 3x3
                      winograd_rows  on a CPU Winograd's convolution along the rows wherever the kernel is 3x3
                      winograd       Winograd's convolution along both axes wherever the kernel is 3x3
MINUNET_KERNELS       auto           CUDA kernels on a GPU, wherever they compile (the default)
                      readable       no CUDA kernels
"""

import os

from minunet.errors import InputError


def convolution_choice() -> str:
    """Return MINUNET_CONVOLUTION; raise InputError if it is none of the words above."""
    return _choice("MINUNET_CONVOLUTION", "auto", "readable", "direct", "im2col", "winograd_rows", "winograd")


def kernels_are_allowed() -> bool:
    """Return whether MINUNET_KERNELS allows CUDA kernels; raise InputError if it is none of the words above."""
    return _choice("MINUNET_KERNELS", "auto", "readable") == "auto"


def _choice(variable: str, *choices: str) -> str:
    choice = os.environ.get(variable, "auto")
    if choice not in choices:
        raise InputError(f"{variable} must be one of {', '.join(choices)}, got {choice!r}; unset it for auto")
    return choice
