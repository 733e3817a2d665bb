"""The environment variables that overrule what `minunet/fast` decides.

MINUNET_CONVOLUTION   auto           `plan.py` decides (the default)
                      readable       the readable convolution, on CPU and GPU
                      direct         no Winograd: the direct convolution on a CPU, the readable one on a GPU
                      im2col         on a CPU one product with what each pixel of y sees, wherever the kernel is 3x3
                      winograd_rows  on a CPU Winograd's convolution along the rows wherever the kernel is 3x3
                      winograd       Winograd's convolution along both axes wherever the kernel is 3x3
                                     (so on a GPU with CUPY_TF32=1, too, where auto takes tensor cores)
MINUNET_KERNELS       auto           CUDA kernels on a GPU, wherever they compile (the default)
                      readable       no CUDA kernels
MINUNET_GRAPHS        off            each kernel is launched by itself (the default)
                      on             CUDA graphs for predictions, and for training steps of one tile without dropout:
                                     see `cuda/graph.py`. No GPU has run this yet
"""

import os
import sys

from minunet.errors import InputError


def convolution_choice() -> str:
    """Return MINUNET_CONVOLUTION; raise InputError if it is none of the words above."""
    return _choice("MINUNET_CONVOLUTION", "auto", "readable", "direct", "im2col", "winograd_rows", "winograd")


def kernels_are_allowed() -> bool:
    """Return whether MINUNET_KERNELS allows CUDA kernels; raise InputError if it is none of the words above."""
    return _choice("MINUNET_KERNELS", "auto", "readable") == "auto"


def graphs_are_wanted() -> bool:
    """Return whether MINUNET_GRAPHS asks for CUDA graphs; raise InputError for another word, or off Linux."""
    are_wanted = _choice("MINUNET_GRAPHS", "off", "on") == "on"
    if are_wanted and sys.platform != "linux":
        raise InputError(f"MINUNET_GRAPHS=on works on Linux only, got {sys.platform}; unset it")
    return are_wanted


def _choice(variable: str, *choices: str) -> str:
    usual = choices[0]
    choice = os.environ.get(variable, usual)
    if choice not in choices:
        raise InputError(f"{variable} must be one of {', '.join(choices)}, got {choice!r}; unset it for {usual}")
    return choice
