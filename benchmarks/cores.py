"""Time steps of the default network on one thread, on a thread and on a process for each core, in turn.

    python benchmarks/cores.py --seconds 60 [--batches 2 4] [--base-channels 16] [--tile 220]

Without batch normalisation and with it, where two tiles go through the network together: of a batch of two, each of
two processes takes a tile, and of a larger batch some pairs. In turn, since other programs on the machine then slow
down all alike. The result is the same each time, bit for bit, or the script says so and fails.
"""

import argparse
import contextlib
import time

import numpy as np

from minunet import flatten
from minunet.cli.bench.minunet_side import random_tiles
from minunet.data import Dataset, load_data
from minunet.fast.cpu.parallel import limited_to
from minunet.training.config import Config
from minunet.training.gradient import on_threads
from minunet.training.processes import Processes
from minunet.training.train import batch_step, start

RATE = 1e-4
LEAST = 3  # rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each batch")
    parser.add_argument("--batches", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--base-channels", type=int, default=16)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--tile", type=int, default=220)
    options = parser.parse_args()
    dataset = load_data("synthetic")  # from which a run is begun; the tiles are random numbers
    for norm in ("none", "batch"):
        for batch in options.batches:
            config = Config(
                base_channels=options.base_channels, depth=options.depth, tile=options.tile, norm=norm, batch=batch
            )
            times = time_in_turn(config, dataset, options.seconds)
            one, *others = (np.array(seconds) for seconds in times.values())
            words = f"one thread {1e3 * np.median(one):.0f} ms"
            for name, seconds in zip(list(times)[1:], others, strict=True):
                words += f", {name} {1e3 * np.median(seconds):.0f} ms ({np.median(one / seconds):.2f} times the steps)"
            print(f"normalisation {norm}, batch {batch}: {words}; {len(one)} rounds", flush=True)


def time_in_turn(config: Config, dataset: Dataset, least: float) -> dict[str, list[float]]:
    """Return the seconds of each step, for so many seconds at least, of each way to share a batch."""
    sides = {"height": config.tile, "width": config.tile}
    tiles = list(zip(*random_tiles({**config._asdict(), **sides}), strict=True))
    with Processes(patience=0) as processes:
        ways = {"one thread": on_threads, "threads": on_threads, "processes": processes}
        runs = {name: start(config, dataset) for name in ways}
        times: dict[str, list[float]] = {name: [] for name in ways}
        began, step = time.monotonic(), 0
        while time.monotonic() - began < least or step <= LEAST:
            for name, share in ways.items():
                limit = limited_to(1) if name == "one thread" else contextlib.nullcontext()
                with limit:
                    before = time.perf_counter()
                    batch_step(runs[name], tiles, step, RATE, share=share)
                    times[name].append(time.perf_counter() - before)
            step += 1
    first, *others = (flatten(run.params) for run in runs.values())
    if any(not np.array_equal(x, other[name]) for other in others for name, x in first.items()):
        raise SystemExit("the networks are not the same, bit for bit")
    return {name: seconds[1:] for name, seconds in times.items()}  # the first one starts threads and processes


if __name__ == "__main__":
    main()
