"""The processes that mpirun has started: how they find each other, and how they agree.

    mpirun -n 4 minunet train --data ...

All ranks start from the same parameters and change them by the same mean gradient, so they stay equal without being
sent. Rank 0 alone writes. What goes wrong is said once, and no rank is left waiting for another.
"""

import atexit
import contextlib
import os
import time
import traceback
import zlib
from importlib.metadata import version

import numpy as np
import threadpoolctl

from minunet.backend import flatten, to_host
from minunet.data import Dataset
from minunet.errors import InputError
from minunet.fast.cpu import limits, parallel
from minunet.scale.all_reduce import all_reduce
from minunet.scale.extras import need
from minunet.training.batch import ALONE, Ranks

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")  # where mpirun, of Open MPI or of MPICH, says how many it has started
GRACE = 5  # seconds that rank 0 has to print an error that all ranks meet


class AgreedError(InputError):
    """An error that all ranks know, so that none waits for another."""


def join_ranks() -> Ranks:
    """Return this process's place among those that mpirun has started; ALONE if there was no mpirun.

    Raises
    ------
    InputError
        If mpirun has started several, but mpi4py is missing, or belongs to another MPI and finds only this one.
    """
    counts = [os.environ[name] for name in SIZES if name in os.environ]
    if "PMIX_RANK" in os.environ:  # set by mpirun, too, and by srun --mpi=pmix, which says no more than this
        counts.append(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    started = int(counts[0]) if counts else 1
    if started == 1:
        return ALONE
    try:
        mpi = need("mpi4py.MPI", extra="mpi")
    except InputError as error:
        raise InputError(f"the {started} processes of mpirun would write over each other's run: {error}") from error
    comm = mpi.COMM_WORLD
    if comm.size != started:
        raise InputError(
            f"mpirun has started {started} processes, of which mpi4py finds {comm.size}; install mpi4py for the MPI "
            "whose mpirun you call"
        )
    _share_the_machine(comm.Split_type(mpi.COMM_TYPE_SHARED))
    return Ranks(comm.rank, comm.size, lambda vector: all_reduce(vector, comm), comm.allgather, comm.Abort)


def _share_the_machine(here) -> None:
    """Give each rank of this machine its share of the cores, and a GPU of its own; `here` are the ranks on it."""
    threadpoolctl.threadpool_limits(_own_cores(here), user_api="blas")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(number) for number in range(here.size)]
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[here.rank % len(gpus)]


def _own_cores(here) -> int:
    """Return how many cores this rank may use, of those that minunet would use if it were alone.

    mpirun binds ranks to cores of their own, or several to the same ones, such as those of a processor, or none to any.
    The processor time of a container is for all its ranks.
    """
    bound = limits.bound_to()
    ranks_on_them = here.allgather(bound).count(bound)
    shares = len(bound) // ranks_on_them, limits.cores_by_time() // here.size
    return max(1, min(parallel.threads(), *shares))


@contextlib.contextmanager
def in_agreement(ranks: Ranks):
    """Let an InputError that any rank meets in the block end all ranks after it; rank 0 raises it, to be printed."""
    error = None
    try:
        yield
    except (InputError, OSError) as raised:
        if ranks.size == 1:
            raise
        error = str(raised)
    errors = [error for error in ranks.gather(error) if error is not None]
    if errors and ranks.rank == 0:
        raise AgreedError(errors[0])
    if errors:
        raise SystemExit(2)


@contextlib.contextmanager
def ending_together(ranks: Ranks):
    """End all ranks when one ends early, for the others would wait for it without end."""
    try:
        yield
    except AgreedError:
        raise
    except (InputError, OSError, KeyboardInterrupt) as error:
        if ranks.size > 1:
            if ranks.rank > 0 and isinstance(error, InputError):
                time.sleep(GRACE)  # if it is of the mean loss, rank 0 says it and ends all
            atexit.register(ranks.abort, 2)  # after it has been printed
        raise
    except SystemExit:
        raise
    except BaseException:
        if ranks.size > 1:
            traceback.print_exc()
            ranks.abort(1)
        raise


def check_equal(ranks: Ranks, options: dict, params: dict, dataset: Dataset) -> None:
    """Raise InputError unless all ranks have the same minunet, options, initial parameters and data."""
    planes = [plane for sample in dataset.train for plane in (sample.image, sample.labels)]
    mine = {
        "version of minunet": version("minunet"),
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
        "parameters": _checksum(flatten(params).values()),
        "training data": _checksum(planes),
    }
    everyone = ranks.gather(mine)
    for name in mine:
        values = [theirs.get(name) for theirs in everyone]
        if any(value != values[0] for value in values):
            found = ", ".join(f"{value} on rank {rank}" for rank, value in enumerate(values))
            raise InputError(f"all processes must have the same {name}, got {found}; start all in the same way")


def _checksum(arrays) -> int:
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(to_host(array)).data, checksum)
    return checksum
