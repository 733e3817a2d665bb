"""Time a training step of the full network on inputs of four sizes, and draw time and peak memory over the pixels.

    python benchmarks/scaling.py [--against torch] [--out scaling.png]

float32, batch of one, medians of 3; each size in processes of its own, and the sides in turn.
"""

import argparse

from matplotlib.figure import Figure

from minunet.cli.bench.report import COLOURS
from minunet.cli.bench.sides import time_step
from minunet.files import picture_path, replace_atomically

SIZES = (204, 396, 572, 1100)
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=["torch"])
    parser.add_argument("--out", default="scaling.png")
    options = parser.parse_args()
    out = picture_path(options.out)
    names = ["minunet", "torch"] if options.against else ["minunet"]
    print(f"{'input':<10}{'side':<10}{'seconds':>10}{'us a pixel':>12}{'peak GB':>10}")
    measured = {name: [] for name in names}
    for size in SIZES:
        network = {"height": size, "width": size, "base_channels": 64, "depth": 4}
        for name, row in time_step(network, names, "cpu", ROUNDS).items():
            seconds, peak = sum(row["seconds"]), row["peak"] / 1e9
            measured[name].append((seconds, peak))
            print(f"{size:<10}{name:<10}{seconds:>10.3f}{1e6 * seconds / size**2:>12.1f}{peak:>10.2f}", flush=True)
    figure = draw(measured)
    replace_atomically(out, lambda temporary: figure.savefig(temporary, dpi=120))


def draw(measured: dict[str, list[tuple[float, float]]]) -> Figure:
    """Draw seconds and gigabytes over the pixels, with what they would be in proportion to minunet's at 572x572."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    pixels = [size**2 / 1e6 for size in SIZES]
    at_572 = SIZES.index(572)
    for which, (axes, label) in enumerate(zip(figure.subplots(1, 2), ("seconds", "peak memory, GB"), strict=True)):
        for name, rows in measured.items():
            axes.loglog(pixels, [row[which] for row in rows], "o-", color=COLOURS[name], label=name)
        proportion = [measured["minunet"][at_572][which] * p / pixels[at_572] for p in pixels]
        axes.loglog(pixels, proportion, "--", color="grey", label="in proportion to the pixels")
        axes.set_xticks(pixels, [f"{size}²" for size in SIZES])
        axes.set_yticks([0.2, 0.5, 1, 2, 5, 10, 20], ["0.2", "0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set(xlabel="pixels of the input", ylabel=label, title=f"training step of the full network: {label}")
        axes.grid(color="0.9")
        axes.legend()
    return figure


if __name__ == "__main__":
    main()
