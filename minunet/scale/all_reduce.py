"""The sum of a vector over all ranks, on every rank: an all-reduce.

It is done in its two halves:

    reduce-scatter    rank r gets the r-th slice of every rank's vector, and adds them up
    all-gather        every rank gets every slice of the sum

MPI's Allreduce moves as many bytes, but the order in which it adds depends on the length of the vector and the number
of ranks. Here the order is known (see `training/batch.py`), so any number of ranks gives the same sum, bit for bit.

On GPUs NCCL does it, without a detour through the host and in an order of its own: within rounding, the same.
"""

import functools

import numpy as np

from minunet.backend import Array, array_module
from minunet.scale.extras import need
from minunet.training.batch import pairwise_sum


def all_reduce(vector: Array, comm) -> Array:
    """Return the sum of the vectors (n,) of all ranks of an MPI communicator."""
    if array_module(vector) is not np:
        return _by_nccl(vector, comm.rank, comm.size)
    length = -(-len(vector) // comm.size)  # of a slice, rounded up
    mine = np.zeros(length * comm.size, vector.dtype)
    mine[: len(vector)] = vector
    slices = np.empty((comm.size, length), vector.dtype)
    comm.Alltoall(mine, slices)  # slices[r] comes from rank r
    total = np.empty_like(mine)
    comm.Allgather(pairwise_sum(list(slices)), total)
    return total[: len(vector)]


def _by_nccl(vector: Array, rank: int, count: int) -> Array:
    total = array_module(vector).empty_like(vector)
    _nccl(rank, count).all_reduce(vector, total)
    return total


@functools.cache
def _nccl(rank: int, count: int):
    return need("cupyx.distributed", extra="gpu").init_process_group(count, rank, use_mpi=True)
