"""What `minunet bench` prints and draws."""

from pathlib import Path

import numpy as np

from minunet.cli.bench.in_turn import Times, ratio
from minunet.files import replace_atomically

COLOURS = {"minunet": "#0072B2", "torch": "#D55E00"}


def layer_title(names: list[str]) -> str:
    """Return the first line of the table."""
    passes = [f"{name} {which}" for which in ("forward", "backward") for name in names]
    return f"{'GFLOP/s, direct':<24}" + "".join(f"{p:>18}" for p in passes) + f"{'share of product':>18}"


def layer_line(row: dict, names: list[str], roofs: dict[str, float]) -> str:
    """Return the line of one layer."""
    speeds = [speed(row, name, which) for which in (0, 1) for name in names]
    share = f"{speeds[0] / roofs['flops']:.0%}, {speeds[len(names)] / roofs['flops']:.0%}"
    return f"{row['layer']!s:<24}" + "".join(f"{s / 1e9:>18.0f}" for s in speeds) + f"{share:>18}"


def step_table(step: dict[str, dict], batch: int = 1) -> str:
    """Return the seconds, the tiles a second and the peak memory of a training step of each side.

    Below stand the ratios of the first side to each of the others.
    """
    titles = ("forward", "backward", "together", "tiles a second", "peak memory")
    lines = [f"{'training step':<24}" + "".join(f"{title:>18}" for title in titles)]
    numbers = {name: [*row["seconds"], sum(row["seconds"]), row["peak"]] for name, row in step.items()}
    for name, (*times, peak) in numbers.items():
        speed = f"{batch / times[-1]:>18.3g}"
        lines.append(f"{name:<24}" + "".join(f"{t:>16.3f} s" for t in times) + speed + f"{peak / 1e9:>15.2f} GB")
    (_, ours), *others = numbers.items()
    for name, theirs in others:
        forward, backward, together, peak = np.divide(ours, theirs)
        ratios = (forward, backward, together, 1 / together, peak)
        lines.append(f"{f'/ {name}':<24}" + "".join(f"{ratio:>18.2f}" for ratio in ratios))
    return "\n".join(lines)


def run_table(times: Times, peaks: dict[str, int], batch: int) -> str:
    """Return the medians of the network forward and of a whole step, with the tiles a second and the peak memory.

    Below stands minunet's time over that of each other side on as many threads, and over its own on one thread.
    """
    titles = ("forward", "tiles a second", "whole step", "tiles a second", "peak memory")
    width = max(map(len, times)) + 4
    lines = [f"{'what people run':<{width}}" + "".join(f"{title:>16}" for title in titles)]
    for label, passes in times.items():
        medians = np.median(passes, axis=1)
        columns = "".join(f"{1e3 * t:>13.1f} ms{batch / t:>16.3g}" for t in medians)
        lines.append(f"{label:<{width}}{columns}{peaks[label] / 1e9:>13.2f} GB")
    for label in times:
        ours = label.replace(label.partition(",")[0], "minunet") if not label.startswith("minunet") else "minunet"
        if label != ours:
            forward, step = (ratio(times, ours, label, which) for which in (0, 1))
            lines.append(f"{f'/ {label}':<{width}}{forward:>16.2f}{1 / forward:>16.2f}{step:>16.2f}{1 / step:>16.2f}")
    return "\n".join(lines)


def speed(row: dict, name: str, which: int) -> float:
    """Return FLOPs of the direct convolution a second; `which` is 0 for forward, 1 for backward."""
    return (1 + which) * row["layer"].flops / row[name][which]


def plot_roofline(rows: list[dict], names: list[str], roofs: dict[str, float], path: str | Path) -> None:
    """Draw each layer as a dot: its speed over its FLOPs for each byte, below the roofs of memory and processor."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    all_axes = figure.subplots(1, 2, sharey=True)
    highest = max(row["layer"].intensity for row in rows)
    lowest = min(row["layer"].intensity for row in rows)
    intensity = np.geomspace(lowest / 2, 2 * highest, 100)
    roof = np.minimum(roofs["flops"], roofs["bytes"] * intensity)
    for which, (axes, title) in enumerate(zip(all_axes, ("forward", "backward"), strict=True)):
        axes.loglog(intensity, roof / 1e9, color="black", label="roof of a direct convolution: product, memory")
        for name in names:
            axes.plot(
                [row["layer"].intensity for row in rows],
                [speed(row, name, which) / 1e9 for row in rows],
                "o" if name == names[0] else "x",
                color=COLOURS[name],
                label=name,
            )
        axes.set_title(f"3x3 layers, {title}")
        axes.set_xlabel("FLOP of the direct convolution for each byte read or written")
        axes.grid(alpha=0.3, which="both")
    all_axes[0].set_ylabel("GFLOP/s of the direct convolution")
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))
