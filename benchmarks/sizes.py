"""Time networks from small to full beside PyTorch: forward, a whole step, the tiles of an image; draw the ratio.

    python benchmarks/sizes.py --out sizes      writes sizes.csv and sizes.png; within 12 minutes on two cores
    python benchmarks/sizes.py --seconds 1 --networks 1 --image 300      a short try

A step is that of `minunet train`, Adam included, without batch normalisation. PyTorch counts in the better of its two
layouts of memory. Each side is a process of its own, as from a notebook; they take turns in many short rounds, and the
numbers are medians (see minunet/cli/bench/in_turn.py). The default network is timed on one thread, too.

Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE before, and let nothing else run.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_info

from minunet.cli.bench.in_turn import Times, better, ratio, time_in_turn
from minunet.cli.bench.sides import Side, open_sides
from minunet.network.summary import layer_rows

NETWORKS = [  # base channels, depth, input
    (8, 3, 124),
    (16, 3, 220),
    (32, 3, 220),
    (64, 4, 204),
    (32, 4, 348),
    (64, 4, 572),
]
DEFAULT = (16, 3, 220)  # of `minunet train`
BATCHES = [1, 2, 4]
COLOURS = {1: "#0072B2", 2: "#D55E00", 4: "#009E73"}
SIDES = ["minunet", "torch", "torch_channels_last"]
LEAST = 3  # rounds, where one takes long
PASSES = ["forward", "step"]
COLUMNS = ["network", "batch", "pass", "side", "rounds", "lower quartile, ms", "median, ms", "upper quartile, ms",
           "minunet / it"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=16, help="for each network and batch, if rounds are short")
    parser.add_argument("--networks", type=int, default=len(NETWORKS), help="how many, the smallest first")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--image", type=int, default=2048, help="side of the image that is predicted; 0 for none")
    parser.add_argument("--out", type=Path, default=Path("sizes"), help="the files, without .csv and .png")
    options = parser.parse_args()
    began = time.monotonic()
    for library in threadpool_info():
        if library["user_api"] == "blas":
            print(f"NumPy {np.__version__}, {library['architecture']}, {library['num_threads']} threads", flush=True)
    with open(options.out.with_suffix(".csv"), "w", newline="") as file, open_sides(SIDES, "cpu") as sides:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        if options.image:
            time_image(sides, options.image, 2 * options.seconds, table)
        ratios = {}
        for network in NETWORKS[: options.networks]:
            for batch in options.batches:
                ratios[network, batch] = time_network(sides, network, batch, options.seconds, table)
                file.flush()
    draw(ratios, options.out.with_suffix(".png"))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes; look at {options.out}.csv and {options.out}.png")


def time_network(sides: list[Side], network: tuple, batch: int, seconds: float, table) -> list[float]:
    """Time one network with one batch; return the ratios of a forward pass and of a step, on all threads."""
    case = {"prepare": "training", "network": {**in_full(network), "batch": batch}}
    if network == DEFAULT:
        with open_sides(SIDES, "cpu", threads=[1]) as on_one:
            times = time_in_turn([*sides, *on_one], 2 * seconds, LEAST, **case)
    else:
        times = time_in_turn(sides, seconds, LEAST, **case)
    write(table, times, network, batch, PASSES)
    on_one_thread = {label: passes for label, passes in times.items() if "," in label}
    on_all = {label: passes for label, passes in times.items() if "," not in label}
    ratios = show(on_all, network, batch, PASSES)
    if on_one_thread:
        show(on_one_thread, network, batch, PASSES, ", on one thread")
        gain = ratio(times, "minunet, 1 thread", "minunet", 1)
        print(f"    minunet makes {gain:.2f} times the steps on all threads", flush=True)
    return ratios


def time_image(sides: list[Side], side: int, seconds: float, table) -> None:
    """Time `minunet.predict` of an image by the default network beside PyTorch with as many tiles of the same size."""
    case = {"prepare": "image", "network": {**in_full(DEFAULT), "image": side}}
    times = time_in_turn(sides, seconds, LEAST, passes=1, **case)
    which = [f"predict {side}x{side}"]
    write(table, times, DEFAULT, 1, which)
    show(times, DEFAULT, 1, which)


def show(times: Times, network: tuple, batch: int, passes: list[str], where: str = "") -> list[float]:
    """Print the medians of minunet and of the better layout of PyTorch; return the ratio of each pass."""
    ours, *others = times
    ratios, parts = [], []
    for which, name in enumerate(passes):
        best = better(times, others, which)
        ratios.append(ratio(times, ours, best, which))
        mine, its = (1e3 * np.median(times[label][which]) for label in (ours, best))
        parts.append(f"{name} {mine:.1f} ms, PyTorch {its:.1f} ms: {ratios[-1]:.2f}")
    tail = f"{batch / np.median(times[ours][-1]):.3g} a second; {times[ours].shape[1]} rounds"
    print(f"{in_words(network)}, batch {batch}{where}: {'; '.join(parts)}; {tail}", flush=True)
    return ratios


def write(table, times: Times, network: tuple, batch: int, passes: list[str]) -> None:
    """Write a row for each pass of each side."""
    for which, name in enumerate(passes):
        for label, seconds in times.items():
            quartiles = [f"{1e3 * t:.3f}" for t in np.quantile(seconds[which], (0.25, 0.5, 0.75))]
            ours = label.replace(label.partition(",")[0], "minunet")
            share = f"{ratio(times, ours, label, which):.3f}"
            table.writerow([in_words(network), batch, name, label, seconds.shape[1], *quartiles, share])


def in_full(network: tuple) -> dict[str, int]:
    base_channels, depth, size = network
    return {"height": size, "width": size, "base_channels": base_channels, "depth": depth}


def in_words(network: tuple) -> str:
    base_channels, depth, size = network
    return f"{base_channels}x{depth} at {size}"


def draw(ratios: dict, path: Path) -> None:
    """Draw the ratios of each network; below 1 minunet is quicker."""
    networks, batches = (list(dict.fromkeys(key[axis] for key in ratios)) for axis in (0, 1))
    flops = [sum(2 * row.macs for row in layer_rows(**in_full(network))) for network in networks]
    labels = [f"{in_words(network)}\n{count / 1e9:.3g} GFLOP" for network, count in zip(networks, flops, strict=True)]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for batch in batches:
        forward, step = zip(*(ratios[network, batch] for network in networks), strict=True)
        colour = COLOURS.get(batch)
        axes.plot(step, "o-", color=colour, label=f"step, batch of {batch}")
        axes.plot(forward, "x--", color=colour, linewidth=1, label=f"forward, batch of {batch}")
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xticks(range(len(networks)), labels)
    axes.set(ylabel="minunet's time / PyTorch's", ylim=(0, None))
    axes.set_xlabel("base channels x depth, input; FLOPs of a forward pass")
    axes.set_title("minunet beside the better of PyTorch's layouts: below 1 minunet is quicker")
    axes.legend(frameon=False, ncols=2)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
