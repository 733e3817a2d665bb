"""cupy.cuda.cublas, as far as it is used here: products of matrices, and how exactly they are multiplied."""

import ctypes

import numpy as np

CUBLAS_DEFAULT_MATH, TF32_TENSOR_OP_MATH = 0, 3
CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_32F_FAST_TF32 = 68, 70, 77
CUBLAS_GEMM_DEFAULT = -1
TYPES = {0: np.float32, 1: np.float64}  # CUDA_R_32F, CUDA_R_64F
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
    """Return a factor of a matrix product as the GPU reads it, if the math mode decides."""
    return x if _mode == CUBLAS_DEFAULT_MATH else _in_tf32(x)


def _in_tf32(x):
    """Return float32 with 10 bits after the point, which has 23; what is no array of float32 as it is."""
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        return x
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32).reshape(x.shape)


def gemmStridedBatchedEx(  # noqa: N802
    handle, transa, transb, m, n, k, alpha, A, Atype, lda, strideA, B, Btype, ldb, strideB,
    beta, C, Ctype, ldc, strideC, batchCount, computeType, algo,
):  # fmt: skip
    """C = alpha A B + beta C for each matrix of a batch, column after column in memory."""
    assert handle == HANDLE and algo == CUBLAS_GEMM_DEFAULT and Atype == Btype == Ctype
    dtype = np.dtype(TYPES[Atype])
    assert computeType in ((CUBLAS_COMPUTE_64F,) if Atype else (CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32))
    a = _matrices(A, dtype, transa, m, k, lda, strideA, batchCount)
    b = _matrices(B, dtype, transb, k, n, ldb, strideB, batchCount)
    c = _matrices(C, dtype, 0, m, n, ldc, strideC, batchCount)
    factor, kept = (_matrices(x, dtype, 0, 1, 1, 1, 0, 1)[0, 0, 0] for x in (alpha, beta))
    if computeType == CUBLAS_COMPUTE_32F_FAST_TF32:
        a, b = _in_tf32(a), _in_tf32(b)
    a, b, c = (
        x.swapaxes(1, 2) for x in (as_multiplied(a), as_multiplied(b), c)
    )  # c' = b' a', whose c' lies row by row
    assert factor == 1
    if kept == 0:
        np.matmul(b, a, out=c)
    else:
        c[...] = b @ a + kept * c


def gemmEx(  # noqa: N802
    handle, transa, transb, m, n, k, alpha, A, Atype, lda, B, Btype, ldb,
    beta, C, Ctype, ldc, computeType, algo,
):  # fmt: skip
    """C = alpha A B + beta C."""
    of_a, of_b, of_c = (A, Atype, lda, 0), (B, Btype, ldb, 0), (C, Ctype, ldc, 0)
    gemmStridedBatchedEx(handle, transa, transb, m, n, k, alpha, *of_a, *of_b, beta, *of_c, 1, computeType, algo)


def _matrices(address, dtype, transposed, rows, columns, leading, stride, batch):
    """Return what lies at an address, (batch, rows, columns)."""
    lie_rows, lie_columns = (columns, rows) if transposed else (rows, columns)
    assert leading >= lie_rows
    size = (batch - 1) * stride + (lie_columns - 1) * leading + lie_rows
    memory = np.frombuffer((ctypes.c_char * (size * dtype.itemsize)).from_address(address), dtype)
    steps = [dtype.itemsize * step for step in (stride, 1, leading)]
    found = np.lib.stride_tricks.as_strided(memory, (batch, lie_rows, lie_columns), steps)
    return found.transpose(0, 2, 1) if transposed else found
