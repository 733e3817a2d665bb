"""Time training steps and predictions on a GPU with CUDA graphs and without, in turn: python benchmarks/graphs.py"""

import os
import statistics
import time

from minunet.cli.bench.minunet_side import image_passes, training_passes, wait
from minunet.gpu import import_cupy

NETWORKS = [(8, 2, 60), (16, 3, 220), (32, 4, 348), (64, 4, 572)]  # base channels, depth, tile: small to the paper's
ROUNDS = 3


def main() -> None:
    import_cupy()
    print(f"{'channels depth tile':>20}  {'':8} {'ms, each kernel':>16} {'ms, by a graph':>16}   times as fast")
    for base_channels, depth, tile in NETWORKS:
        network = {"base_channels": base_channels, "depth": depth, "height": tile, "width": tile, "image": 512}
        _, step = training_passes(network, "gpu")
        for name, work in (("step", step), ("predict", image_passes(network, "gpu")[0])):
            plain, by_graph = medians(work)
            print(
                f"{base_channels:>8} {depth:>5} {tile:>5}  {name:8} {1e3 * plain:>16.2f} {1e3 * by_graph:>16.2f}   "
                f"{plain / by_graph:.2f}",
                flush=True,
            )


def medians(work) -> tuple[float, float]:
    """Return the median seconds of a call without graphs and with them, in turn."""
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    for graphs in seconds:
        os.environ["MINUNET_GRAPHS"] = graphs
        seconds_of(work, 5)  # compiles the kernels, and records the graph
    for _ in range(ROUNDS):
        for graphs, taken in seconds.items():
            os.environ["MINUNET_GRAPHS"] = graphs
            taken.append(seconds_of(work, 10))
    return statistics.median(seconds["off"]), statistics.median(seconds["on"])


def seconds_of(work, calls: int) -> float:
    """Return the seconds of one call, the mean of some that follow each other."""
    began = time.perf_counter()
    for _ in range(calls):
        work()
    wait("gpu")
    return (time.perf_counter() - began) / calls


if __name__ == "__main__":
    main()
