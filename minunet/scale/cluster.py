"""The processes that Dask computes with: those of this machine, or those of a scheduler somewhere else."""

import concurrent.futures
import contextlib
import logging
from importlib.metadata import version

import threadpoolctl

from minunet.errors import InputError
from minunet.fast.cpu import limits
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.scale.extras import need

PATIENCE = 10  # seconds that a scheduler, or its first worker, may take to answer


@contextlib.contextmanager
def connected(scheduler: str | None = None, workers: int | None = None):
    """Yield a Dask client whose workers keep to one BLAS thread each.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler, such as tcp://10.0.0.1:8786. By default processes are started on this machine.
    workers : int, optional
        How many processes to start; by default one for each core.

    Raises
    ------
    InputError
        If the scheduler does not answer, now or later, has no worker, or a worker has another version of minunet; or
        if a task has ended several workers.
    """
    with _processes(workers) if scheduler is None else contextlib.nullcontext(scheduler) as scheduler:
        with _client(scheduler) as client, _in_one_line(client):
            _check_workers(client)
            client.register_worker_callbacks(prepare_worker)  # also of workers that come later, for one that died
            yield client


@contextlib.contextmanager
def _in_one_line(client):
    """Say in one line that the workers, or their scheduler, have ended in the middle of the work."""
    distributed = need("distributed")
    lost = concurrent.futures.CancelledError, distributed.comm.CommClosedError
    try:
        yield
    except distributed.KilledWorker as error:
        raise InputError(
            "a block or an image has ended several workers, which were probably short of memory; choose a smaller "
            "--tile or, for a slide, --block, or workers with more memory"
        ) from error
    except Exception as error:
        is_lost = client.status == "closed" or isinstance(error, lost)
        if isinstance(error, InputError) or not is_lost:
            raise
        raise InputError(
            "expected a Dask scheduler until the end, but it does not answer any more; start it again, and then the "
            "same command: what is done stays done"
        ) from error


def prepare_worker() -> None:
    """Let the matrix products of this process use one core, for the others have workers of their own; keep memory."""
    threadpoolctl.threadpool_limits(1, user_api="blas")
    keep_freed_memory()


def _version_there() -> str:
    """Return the version of minunet on a worker."""
    return version("minunet")


def _processes(workers: int | None):
    """Start workers on this machine. Dask's nannies start each with OPENBLAS_NUM_THREADS=1, and again if it dies.

    Dask's profiler stays out: it takes the interpreter from the network a hundred times a second.
    """
    distributed = need("distributed")  # first, as it fills in the configuration
    with need("dask").config.set({"distributed.worker.profile.enabled": False}):
        return distributed.LocalCluster(
            n_workers=workers or limits.cores(),
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )


def _client(scheduler):
    distributed = need("distributed")  # first, as it sets the levels of its loggers
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what is wrong is said once, below or above
    try:
        return distributed.Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a Dask scheduler at {scheduler}, got no answer; start one with `dask scheduler`, or leave out "
            "--scheduler to use this machine"
        ) from error


def _check_workers(client) -> None:
    ours, address = version("minunet"), client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        versions = set(client.run(_version_there).values())
    except TimeoutError as error:
        raise InputError(f"expected workers at {address}, got none; start one with `dask worker {address}`") from error
    except Exception as error:  # whatever goes wrong where minunet is not installed
        raise InputError(f"expected minunet {ours} on every worker, got {error}; install it there") from error
    if versions != {ours}:
        raise InputError(
            f"expected minunet {ours} on every worker, got {', '.join(sorted(versions))}; install the same version"
        )
