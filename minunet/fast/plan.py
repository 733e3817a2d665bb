"""The plan of a convolution: which way it is computed, and how the cores of a CPU share the work.

    way            file                       how
    readable       layers/conv.py             9 products of the whole image
    direct         fast/cpu/direct.py         small products, row by row
    im2col         fast/cpu/im2col.py         one product with the kernels as they lie in memory
    winograd_rows  fast/cpu/winograd_rows.py  3x3 kernels with half of the multiplications, row by row
    winograd       fast/cpu/winograd.py       3x3 kernels with a quarter of the multiplications, in tiles
    winograd_deep  fast/cpu/winograd_deep.py  the same for deep layers: few pixels, many channels
    cuda           fast/cuda/conv.py          Winograd's convolution by CUDA kernels, on a GPU
    cuda_tf32      fast/cuda/conv_tf32.py     3x3 kernels on tensor cores, on a GPU where TF32 is allowed
    cuda_1x1       fast/cuda/conv_1x1.py      one product, on a GPU

On a CPU the choice depends only on the shapes and, between the last two, on the number of cores, never on a timing. So
on one machine a layer is always computed in the same way, and by direct, im2col and winograd_rows its bits are the same
on any number of cores. With few channels the direct way is quickest; with few pixels im2col, as all others would change
more numbers of the kernels than there are pixels to gain from it; then Winograd's along the rows; and that along both
axes on images of many Winograd tiles with many channels in and out. On a GPU it is for all 3x3 kernels, unless
CUPY_TF32=1 allows TF32: then tensor cores take them. These rules are estimates: Winograd writes and reads 2.25 times x
and 2.25 times y, or 4 times each in TF32, and the readable way 18 times y. Tensor cores only read x and write y.

`python -m minunet.network.plan_table` prints the plans of a whole U-Net. `environment.py` has the variables that
overrule them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minunet.backend import Array, array_module
from minunet.fast import thresholds
from minunet.fast.cpu import parallel
from minunet.fast.cuda import conv_tf32, loader
from minunet.fast.environment import convolution_choice, kernels_are_allowed
from minunet.gpu import tf32_is_allowed

ONE_PART = "one part"


class Plan(NamedTuple):
    """How one pass of a convolution, forward or backward, is computed."""

    way: str  # see the table above
    split: str  # what a core's part is: "bands" or "rows" of y, "channels" of y or x, or "one part" for all


def plan(x: Array, weight: Array, backward: bool) -> Plan:
    """Decide how to convolve x (N, C, H, W) with weight (F, C, KH, KW), or how to go back through that.

    Only shapes, dtype and device of the arrays are looked at.

    Raises
    ------
    InputError
        If MINUNET_CONVOLUTION or MINUNET_KERNELS is set to a word that does not exist.
    """
    choice = convolution_choice()
    if array_module(x) is not np:
        return Plan(_way_on_gpu(choice, x, weight), ONE_PART)
    if choice == "readable":
        return Plan("readable", ONE_PART)  # BLAS, which does its products, uses all cores
    way = _way_on_cpu(choice, x, weight, backward)
    return Plan(way, "bands" if way in ("direct", "im2col", "winograd_rows") else _split(x, weight))


def tensor_cores_are_taken(dtype: DTypeLike) -> bool:
    """Return whether 3x3 convolutions of this dtype are for a GPU's tensor cores; their kernels must compile, too."""
    is_other = convolution_choice() in ("readable", "direct", "winograd")  # the other words are for a CPU
    return not is_other and kernels_are_allowed() and np.dtype(dtype) == np.float32 and tf32_is_allowed()


def _way_on_gpu(choice: str, x: Array, weight: Array) -> str:
    is_1x1 = weight.shape[2:] == (1, 1)
    if choice in ("readable", "direct") or not (is_1x1 or _is_3x3(weight)):
        return "readable"
    if not is_1x1 and tensor_cores_are_taken(x.dtype) and loader.compiles(conv_tf32.SOURCE, x):
        return "cuda_tf32"
    if kernels_are_allowed() and loader.compiles("winograd", x):
        return "cuda_1x1" if is_1x1 else "cuda"
    return _winograd_for(x, weight) if choice == "winograd" and not is_1x1 else "readable"


def _way_on_cpu(choice: str, x: Array, weight: Array, backward: bool) -> str:
    if not _is_3x3(weight) or choice == "direct":
        return "direct"
    if choice in ("im2col", "winograd_rows"):
        return choice
    if choice == "winograd" or _winograd_pays(x, weight):
        return _winograd_for(x, weight)
    fewer, more = sorted(weight.shape[:2])
    if fewer > thresholds.FEW_CHANNELS and _pixels(x, weight) <= thresholds.IM2COL_PIXELS:
        return "im2col"
    is_enough = (more if backward else fewer) >= thresholds.WINOGRAD_ROWS_CHANNELS
    return "winograd_rows" if is_enough and fewer > thresholds.FEW_CHANNELS else "direct"


def _winograd_for(x: Array, weight: Array) -> str:
    return "winograd" if _has_many_pixels(x, weight) else "winograd_deep"


def _winograd_pays(x: Array, weight: Array) -> bool:
    """Return whether Winograd's way along both axes is quicker than along the rows."""
    fewer, more = sorted(weight.shape[:2])
    if x.shape[3] > thresholds.WIDE:
        are_many = fewer >= thresholds.WINOGRAD_CHANNELS_WIDE
    else:
        are_many = 2 * fewer >= thresholds.WINOGRAD_CHANNELS <= more
    return are_many and _pixels(x, weight) >= 16 * thresholds.WINOGRAD_TILES


def _split(x: Array, weight: Array) -> str:
    F, _, KH, KW = weight.shape
    if x.size * F * KH * KW < thresholds.PARALLEL_MULTIPLICATIONS:
        return ONE_PART
    return "rows" if _has_many_pixels(x, weight) else "channels"


def _has_many_pixels(x: Array, weight: Array) -> bool:
    """Return whether each core's share of y has many pixels for each kernel: every core must read all kernels."""
    return _pixels(x, weight) >= thresholds.PIXELS_PER_KERNEL * len(weight) * parallel.threads()


def _pixels(x: Array, weight: Array) -> int:
    """Return how many pixels an image of y has."""
    H, W = x.shape[2:]
    KH, KW = weight.shape[2:]
    return (H - KH + 1) * (W - KW + 1)


def _is_3x3(weight: Array) -> bool:
    return weight.shape[2:] == (3, 3)
