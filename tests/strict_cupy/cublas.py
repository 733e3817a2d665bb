"""cupy.cuda.cublas, as far as it is used here: how exactly matrices of float32 are multiplied."""

import numpy as np

CUBLAS_DEFAULT_MATH, TF32_TENSOR_OP_MATH = 0, 3
HANDLE = 1234
_mode = CUBLAS_DEFAULT_MATH


def setMathMode(handle: int, mode: int) -> None:  # noqa: N802 - cuBLAS's name
    global _mode
    assert handle == HANDLE and mode in (CUBLAS_DEFAULT_MATH, TF32_TENSOR_OP_MATH)
    _mode = mode


def getMathMode(handle: int) -> int:  # noqa: N802
    assert handle == HANDLE
    return _mode


def as_multiplied(x):
    """Return a factor of a matrix product as the GPU reads it: in TF32 with 10 bits after the point, float32 has 23."""
    if _mode == CUBLAS_DEFAULT_MATH or not isinstance(x, np.ndarray) or x.dtype != np.float32:
        return x
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32).reshape(x.shape)
