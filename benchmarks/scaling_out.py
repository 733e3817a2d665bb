"""Measure what `scaling_out.md` plans with: a slide, ranks, and Dask's scheduler.

    python benchmarks/scaling_out.py slide --size 30000     a slide on two worker processes, one killed halfway
    python benchmarks/scaling_out.py ranks                  tiles a second of 1 and 2 ranks, at the default network
    python benchmarks/scaling_out.py scheduler              what a task costs: workers that sleep for the GPU's time

Run it on a quiet machine, and under mpirun never: it calls mpirun itself.
"""

import argparse
import functools
import itertools
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from minunet import Network, init_unet, train
from minunet.data import load_data, synthetic_cells
from minunet.scale import blocks
from minunet.scale.cluster import connected
from minunet.scale.extras import need
from minunet.scale.ranks import join_ranks
from minunet.scale.slide import BLOCK, predict_slide
from minunet.training.config import Config
from minunet.training.train import start, train_steps

PATCH = 1024  # pixels: the slide repeats this image, turned at random
NETWORK = {"base_channels": 16, "depth": 3}  # as `minunet train` makes it
WATCHED_EVERY = 5  # seconds; each look takes some time from the workers, and the system keeps the peak of a process
WARM_UP = 10  # steps that are not counted
ROUNDS = 3
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("slide")
    command.add_argument("--size", type=int, default=3000)
    command.add_argument("--block", type=int, default=BLOCK)
    command.add_argument("--folder", type=Path, help="for the slide and the results; default a temporary one")
    command.set_defaults(run=slide)
    command = commands.add_parser("ranks")
    command.add_argument("--steps", type=int, default=60)
    command.set_defaults(run=ranks)
    command = commands.add_parser("rank", description="What `ranks` starts.")
    command.add_argument("--steps", type=int, default=60)
    command.set_defaults(run=rank)
    commands.add_parser("scheduler").set_defaults(run=scheduler)
    options = parser.parse_args()
    options.run(options)


def slide(options) -> None:
    """Predict a slide twice, undisturbed and with a worker killed in the middle; compare time, memory, results."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="slide-"))
    folder.mkdir(exist_ok=True)
    path, results = folder / f"slide-{options.size}.zarr", [folder / "undisturbed.zarr", folder / "killed.zarr"]
    if not path.exists():
        write_slide(path, options.size)
    patch, instances = synthetic_cells(np.random.default_rng(0), PATCH // 2, PATCH // 2)
    network = train([as_bytes(patch)], [instances > 0], tile=108, steps=150, progress=False, **NETWORK)
    count = -(-options.size // options.block)
    print(f"{options.size} x {options.size} pixels, {count} x {count} blocks of {options.block}, {NETWORK}", flush=True)
    for out in results:
        shutil.rmtree(out, ignore_errors=True)
        with connected(workers=2) as client:
            before = seconds_of_tiles(client, network, path, options.block) / 2
            watch = PeakMemory(client)
            if out is results[1]:
                pid = next(iter(client.run(os.getpid).values()))
                threading.Timer(before / 2, os.kill, (pid, signal.SIGKILL)).start()
            began = time.perf_counter()
            predict_slide(network, path, out, client, block=options.block)
            seconds = time.perf_counter() - began
            peak = watch.stop()
            ideal = (before + seconds_of_tiles(client, network, path, options.block) / 2) / 2
        print(
            f"{out.stem}: {seconds:.1f} s; the tiles alone {ideal:.1f} s on each of two workers, ratio "
            f"{seconds / ideal:.2f}; peak memory of a worker {peak / 1e9:.2f} GB",
            flush=True,
        )
    print("results equal:", contents(results[0]) == contents(results[1]))


def write_slide(path: Path, size: int) -> None:
    """Write synthetic cells, bytes, in chunks of 1024 pixels."""
    rng = np.random.default_rng(0)
    patch = as_bytes(synthetic_cells(rng, PATCH, PATCH)[0])
    stored = need("zarr").create_array(str(path), shape=(size, size), chunks=(PATCH, PATCH), dtype="uint8")
    for top, left in itertools.product(range(0, size, PATCH), repeat=2):
        turned = np.rot90(patch, rng.integers(4))
        stored[top : top + PATCH, left : left + PATCH] = turned[: size - top, : size - left]


def as_bytes(image: np.ndarray) -> np.ndarray:
    return np.round(255 * (image - image.min()) / np.ptp(image)).astype(np.uint8)


def seconds_of_tiles(client, network: Network, path: Path, block: int) -> float:
    """Return how long the network takes for all tiles of the slide in one process, while another one works too."""
    size = need("zarr").open_array(str(path), mode="r").shape[0]
    block = min(block, size)
    seconds = client.run(time_a_block, network, path, block)
    return statistics.mean(seconds.values()) * (size / block) ** 2


def time_a_block(network: Network, path: Path, block: int) -> float:
    before, after = blocks.margins(NETWORK["depth"])
    corner = need("zarr").open_array(str(path), mode="r")[:block, :block]
    step = 2 ** NETWORK["depth"]
    whole = -(-block // step) * step - block
    x = np.pad(corner, ((before, after + whole),) * 2, mode="reflect")[None]
    runs = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        blocks.predict_block(x, network)
        runs.append(time.perf_counter() - began)
    return statistics.median(runs)


class PeakMemory:
    """The largest resident memory that any worker on this machine has had."""

    def __init__(self, client):
        self.client, self.peak, self.over = client, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        while not self.over.wait(WATCHED_EVERY):
            for pid in [worker["pid"] for worker in self.client.run(process_of_worker).values()]:
                self.peak = max(self.peak, peak_of(pid))

    def stop(self) -> int:
        self.over.set()
        self.thread.join()
        return self.peak


def process_of_worker() -> dict:
    return {"pid": os.getpid()}


def peak_of(pid: int) -> int:
    """Return the peak of a process's resident memory in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def contents(folder: Path) -> dict:
    """Return the chunks of a result; the metadata name the image, which is the same."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def ranks(options) -> None:
    """Print the tiles a second of one and two ranks with one BLAS thread each, and of one process with two threads."""
    this = [sys.executable, __file__, "rank", "--steps", str(options.steps)]
    sides = {
        "1 rank, 1 thread": ([*MPIRUN, "-n", "1", *this], 1),
        "2 ranks, 1 thread each": ([*MPIRUN, "-n", "2", *this], 1),
        "1 process, 2 threads": (this, 2),
    }
    measured = {name: [] for name in sides}
    for _ in range(ROUNDS):  # in turn, so that a busy minute does not hit one side only
        for name, (command, threads) in sides.items():
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
            printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            measured[name].append(float(printed))
    one = statistics.median(measured["1 rank, 1 thread"])
    for name, rates in measured.items():
        rate = statistics.median(rates)
        print(f"{name:<24}{rate:7.2f} tiles a second {rate / one:6.2f}   of {', '.join(f'{r:.2f}' for r in rates)}")


def rank(options) -> None:
    """Train the default network for some steps; rank 0 prints the tiles a second of all ranks."""
    place = join_ranks()
    config = Config(steps=options.steps, batch=2 * place.size, weights="none")
    dataset = load_data("synthetic")
    run = start(config, dataset)
    for row in train_steps(run, dataset._replace(validation=[]), ranks=place):
        if row["step"] == WARM_UP:
            began = time.perf_counter()
    seconds = time.perf_counter() - began
    if place.rank == 0:
        print((options.steps - WARM_UP) * config.batch / seconds)


def scheduler(options) -> None:
    """Print what share of their time workers compute that sleep for a GPU's time, and what a task costs."""
    da, distributed = need("dask.array"), need("distributed")
    params = init_unet(np.random.default_rng(0), base_channels=1, depth=1)
    print(f"{'GPUs':>5}{'s a block':>11}{'blocks':>8}{'tasks':>8}{'seconds':>9}{'busy':>7}{'tasks a second':>16}")
    for gpus, seconds in ((1, 0.0), (2, 0.05), (8, 0.05), (8, 0.2), (32, 0.2), (32, 1.0)):
        side = 24 if seconds < 1 else 16
        blocks.predict_block = functools.partial(sleep, seconds)
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=max(1, gpus // 2), dashboard_address=":0", silence_logs="CRITICAL"
            ) as cluster,
            cluster.get_client() as client,
        ):
            lazy = blocks.predict(params, da.zeros((16 * side, 16 * side), chunks=16))
            tasks = len(lazy.__dask_optimize__(lazy.dask, lazy.__dask_keys__()))
            began = time.perf_counter()
            parts = client.compute([need("dask").delayed(np.size)(block) for block in lazy.to_delayed().ravel()])
            distributed.wait(parts)
            wall = time.perf_counter() - began
        busy = side**2 * seconds / (2 * max(1, gpus // 2)) / wall
        print(f"{gpus:>5}{seconds:>11}{side**2:>8}{tasks:>8}{wall:>9.1f}{busy:>7.0%}{tasks / wall:>16.0f}", flush=True)


def sleep(seconds: float, x: np.ndarray, network, **place) -> np.ndarray:
    """Stand in for `predict_block` on a GPU."""
    time.sleep(seconds)
    return np.zeros((2, *(n - sum(blocks.margins(1)) for n in x.shape[1:])), np.float32)


if __name__ == "__main__":
    main()
