"""Time a training step of networks from small to full beside PyTorch, and draw the ratio over the network's size.

    python benchmarks/sizes.py [--batch 2] [--rounds 7] [--out sizes.png]

Each side is a process of its own; they take turns, and the numbers are medians. PyTorch counts in the better of its two
layouts of memory. Without OPENBLAS_NUM_THREADS both sides use all cores; with 1, minunet uses one: then set
OMP_NUM_THREADS=1 for PyTorch, too.
"""

import argparse

from matplotlib.figure import Figure

from minunet.cli.bench.sides import time_step
from minunet.network.summary import layer_rows

NETWORKS = [  # base channels, depth, input; the second one is the default of `minunet train`
    (8, 3, 124),
    (16, 3, 220),
    (32, 3, 220),
    (64, 4, 204),
    (32, 4, 348),
    (64, 4, 572),
]
SIDES = ["minunet", "torch", "torch_channels_last"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", type=int, default=len(NETWORKS), help="how many, the smallest first")
    parser.add_argument("--out", default="sizes.png")
    options = parser.parse_args()
    rows = [ratios(*network, options.batch, options.rounds) for network in NETWORKS[: options.networks]]
    draw(rows, options)


def ratios(base_channels: int, depth: int, size: int, batch: int, rounds: int) -> tuple[float, float, float]:
    """Print a line for one network; return its FLOPs, and the ratios of a forward pass and of a whole step."""
    network = {"height": size, "width": size, "base_channels": base_channels, "depth": depth, "batch": batch}
    seconds = {side: step["seconds"] for side, step in time_step(network, SIDES, "cpu", rounds).items()}
    flops = sum(2 * row.macs for row in layer_rows(size, size, base_channels=base_channels, depth=depth))
    forward = seconds["minunet"][0] / min(seconds[side][0] for side in SIDES[1:])
    step = sum(seconds["minunet"]) / min(sum(seconds[side]) for side in SIDES[1:])
    times = "  ".join(f"{side} {1e3 * s[0]:.1f}, {1e3 * sum(s):.1f} ms" for side, s in seconds.items())
    print(f"{base_channels}x{depth} at {size}: {times}  ratio {forward:.2f}, {step:.2f}", flush=True)
    return flops, forward, step


def draw(rows: list[tuple[float, float, float]], options: argparse.Namespace) -> None:
    """Draw the ratios over the FLOPs of a forward pass; below 1 minunet is quicker."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    flops, forward, step = zip(*rows, strict=True)
    axes.semilogx(flops, step, "o-", color="#0072B2", label="forward and backward")
    axes.semilogx(flops, forward, "x--", color="#D55E00", label="forward")
    axes.axhline(1, color="black", linewidth=1)
    names = [f"{base_channels}x{depth} at {size}" for base_channels, depth, size in NETWORKS[: len(rows)]]
    axes.set_xticks(flops, names, rotation=30, ha="right")
    axes.minorticks_off()
    axes.set(xlabel="network, by the FLOPs of a forward pass", ylabel="minunet's time / PyTorch's", ylim=(0, None))
    axes.set_title(f"training step, batch of {options.batch}, PyTorch's better layout")
    axes.legend(frameon=False)
    figure.savefig(options.out, dpi=120)


if __name__ == "__main__":
    main()
