"""Products of matrices by cuBLAS, called as CuPy's `matmul` does not call it.

    transposed factors    are read as they lie: `matmul` copies them in batches
    out += a @ b          is one call, which reads and writes `out` once
    a batch of one        is multiplied as a single matrix, for which cuBLAS may cut long sums
    TF32                  is asked for in the call: CuPy obeys CUPY_TF32 for single products only

Where CuPy has no such call, `matmul` does the work.
"""

from typing import Any

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.cuda.cublas_in_graphs import call
from minunet.fast.cuda.loader import address
from minunet.gpu import tf32_is_allowed

AS_IT_LIES, TRANSPOSED = 0, 1  # in cuBLAS's enumeration cublasOperation_t


def product(a: Array, b: Array, out: Array | None = None, add: bool = False) -> Array:
    """Return a @ b, in `out` if that is given; with `add`, add it to `out`.

    Parameters
    ----------
    a : array, (rows, K) or (batch, rows, K)
        An array without axis `batch` is the same for the whole batch.
    b : array, (K, columns) or (batch, K, columns)
    out : contiguous array, (rows, columns) or (batch, rows, columns), optional
    add : bool
        Needs `out`.
    """
    xp = array_module(a)
    if out is None:
        leading = (a if a.ndim > b.ndim else b).shape[:-2]
        out = xp.empty((*leading, a.shape[-2], b.shape[-1]), a.dtype)
    if not out.size:
        return out
    if not _has_the_call(xp):
        return _by_matmul(xp, a, b, out, add)
    cublas = xp.cuda.cublas
    number, compute = _types(xp, out.dtype)
    rows, columns = out.shape[-2:]
    batch = len(out) if out.ndim == 3 else 1
    a, a_is_transposed, a_row, a_matrix = _as_it_lies(a)
    b, b_is_transposed, b_row, b_matrix = _as_it_lies(b)
    one, kept = np.ones(1, out.dtype), np.full(1, add, out.dtype)
    # What is a row here is a column to cuBLAS. So it computes out' = b' a', and gets the factors in exchanged order.
    sizes = b_is_transposed, a_is_transposed, columns, rows, a.shape[-1]
    of_b, of_a, of_out = [address(b), number, b_row], [address(a), number, a_row], [address(out), number, columns]
    how = [compute, cublas.CUBLAS_GEMM_DEFAULT]
    name = "gemmEx"
    if batch > 1:
        name = "gemmStridedBatchedEx"
        for array, stride in ((of_b, b_matrix), (of_a, a_matrix), (of_out, rows * columns)):
            array.append(stride)
        how.insert(0, batch)
    call(xp, name, xp.cuda.get_cublas_handle(), *sizes, one.ctypes.data, *of_b, *of_a, kept.ctypes.data, *of_out, *how)
    return out


def sum_of_products(a: Array, b: Array) -> Array:
    """Return the sum over a batch of a @ b: (N, rows, K) @ (N, K, columns) -> (rows, columns)."""
    total = product(a[0], b[0])
    for n in range(1, len(a)):
        product(a[n], b[n], total, add=True)
    return total


def _as_it_lies(x: Array) -> tuple[Array, int, int, int]:
    """Return x, copied if need be; whether it lies transposed; and, in elements, from row to row and matrix to matrix.

    The rows are those in memory: of a transposed matrix its columns.
    """
    *_, row, column = (stride // x.itemsize for stride in x.strides)
    matrix = x.strides[0] // x.itemsize if x.ndim == 3 else 0
    rows, columns = x.shape[-2:]
    if _has_rows(rows, columns, row, column):
        return x, AS_IT_LIES, max(row, columns), matrix
    if _has_rows(columns, rows, column, row):
        return x, TRANSPOSED, max(column, rows), matrix
    return _as_it_lies(array_module(x).ascontiguousarray(x))


def _has_rows(rows: int, columns: int, row: int, column: int) -> bool:
    """Return whether each row lies in one piece, and one row after the other, if gaps between the rows are allowed."""
    return (columns == 1 or column == 1) and (rows == 1 or row >= columns)


def _types(xp: Any, dtype: np.dtype) -> tuple[int, int]:
    """Return what cuBLAS calls the type of the numbers, and how it multiplies them."""
    cublas, runtime = xp.cuda.cublas, xp.cuda.runtime
    if dtype == np.float64:
        return runtime.CUDA_R_64F, cublas.CUBLAS_COMPUTE_64F
    tf32 = tf32_is_allowed()
    return runtime.CUDA_R_32F, cublas.CUBLAS_COMPUTE_32F_FAST_TF32 if tf32 else cublas.CUBLAS_COMPUTE_32F


def _has_the_call(xp: Any) -> bool:
    is_amd = getattr(xp.cuda.runtime, "is_hip", False)  # its library numbers the types of computation in another way
    return hasattr(xp.cuda.cublas, "gemmStridedBatchedEx") and not is_amd


def _by_matmul(xp: Any, a: Array, b: Array, out: Array, add: bool) -> Array:
    if add:
        out += a @ b
    else:
        xp.matmul(a, b, out=out)
    return out
