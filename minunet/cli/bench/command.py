"""`minunet bench`: time what people run, then every 3x3 layer and a step of the full network, and draw the speeds."""

import argparse
import importlib.util
import os
import platform
from pathlib import Path

import numpy as np

from minunet.cli.bench.in_turn import time_in_turn
from minunet.cli.bench.layer import layers_of
from minunet.cli.bench.report import layer_line, layer_title, plot_roofline, run_table, step_table
from minunet.cli.bench.sides import open_sides, roofs, time_layers, time_step
from minunet.cli.shared_options import check_range
from minunet.errors import InputError
from minunet.files import picture_path
from minunet.gpu import gpu_is_there, tf32_is_allowed
from minunet.network.checks import check_numbers
from minunet.network.sizes import LARGEST_TILE
from minunet.training.config import Config

MOST_ROUNDS = 10_000
MOST_TILES = 1000
SECONDS = 4  # for each round: a small network needs less, and is timed as often as they hold

EVERYDAY = {"input": Config().tile, "base_channels": Config().base_channels, "depth": Config().depth}
FULL = {"input": 572, "base_channels": 64, "depth": 4}  # the network of the paper

EXAMPLE = "minunet bench --against torch"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument("--input", type=int, metavar="N", help="side of the input in pixels; default 572")
    channels = "channels at full resolution, doubled with each level down; default 64"
    command.add_argument("--base-channels", type=int, metavar="N", help=channels)
    command.add_argument("--depth", type=int, metavar="N", help="how many times an image is halved; default 4")
    command.add_argument("--batch", type=int, default=1, metavar="N", help="tiles in a training step; default 1")
    command.add_argument("--device", choices=("cpu", "gpu"), help="default: the CPU, and then the GPU if there is one")
    command.add_argument("--against", choices=("torch",), help="time PyTorch, too, in turn and in a process of its own")
    rounds = "how often each pass is timed; the median counts; default 5"
    command.add_argument("--rounds", type=int, default=5, metavar="N", help=rounds)
    command.add_argument("--out", default="bench.png", metavar="FILE", help="the picture; default bench.png")


def run(options) -> int:
    """Time layers and a training step, print tables, draw a roofline."""
    given = {name: value for name, value in vars(options).items() if name != "command"}
    run_bench(**given)
    return 0


def run_bench(
    input: int | None = None,
    base_channels: int | None = None,
    depth: int | None = None,
    batch: int = 1,
    device: str | None = None,
    against: str | None = None,
    rounds: int = 5,
    out: str | Path = "bench.png",
) -> None:
    """Time what people run on a CPU; then, on each device, every shape of 3x3 layer and a step. Draw a roofline.

    What people run is the default network of `minunet train`, forward and a whole step, on one thread and on all.

    Each side is a process of its own; they take turns, and the numbers are medians, in float32. A layer has a batch of
    one. PyTorch makes the training step twice, with its usual layout of memory and with channels last; on a GPU once
    more, when cuDNN has tried which of its convolutions is fastest. There the GPU's own events tell the time.

    Parameters
    ----------
    input, base_channels, depth : int
        The network, and the size of its input in pixels. Without any of them, the paper's, and what people run is the
        default network; else both are this network.
    batch : int
        How many tiles a training step has.
    device : "cpu" or "gpu", optional
        By default the CPU, and the GPU too where there is one.
    against : "torch", optional
        PyTorch beside it.
    rounds : int
        How often each pass is timed.
    out : path
        The plot; that of the GPU, beside one of the CPU, has -gpu in its name.

    Raises
    ------
    InputError
        If the input does not fit, the plot cannot be written, PyTorch or the GPU is missing, or a side stops: out of
        memory, for example.
    """
    if rounds < 1:
        raise InputError(f"rounds must be at least 1, got {rounds}; the default is 5")
    options = {"input": input, "base_channels": base_channels, "depth": depth}
    given = {name: value for name, value in options.items() if value is not None}
    full, everyday = {**FULL, **given}, {**(FULL if given else EVERYDAY), **given}
    check_range("--rounds", rounds, 1, MOST_ROUNDS)
    check_range("--input", full["input"], 1, LARGEST_TILE)
    check_range("--batch", batch, 1, MOST_TILES)
    check_numbers(base_channels=full["base_channels"], depth=full["depth"])
    if against == "torch" and importlib.util.find_spec("torch") is None:
        raise InputError("--against torch needs PyTorch, found none; install it with python -m pip install torch")
    layers = layers_of(_network(full))
    names = ["minunet"] + ([against] if against else [])
    both_layouts = names + ([f"{against}_channels_last"] if against else [])
    out = picture_path(out)
    if device:
        devices = [device]
    else:
        devices = ["cpu", "gpu"] if gpu_is_there() else ["cpu"]
    for where in devices:
        print(f"{_machine(where)}; medians of {rounds} rounds, or more")
        if where == "cpu":
            print(f"\n{_in_words(everyday, batch)}")
            print(
                _what_people_run({**_network(everyday), "batch": batch}, both_layouts, rounds), end="\n\n", flush=True
            )
        print(_in_words(full, batch))
        limits = roofs(where, rounds)
        print(f"matrix product {limits['flops'] / 1e9:.0f} GFLOP/s, copy {limits['bytes'] / 1e9:.1f} GB/s\n")
        settings = both_layouts + ([f"{against}_fastest_cudnn"] if against and where == "gpu" else [])
        print(
            step_table(time_step({**_network(full), "batch": batch}, settings, where, rounds), batch),
            end="\n\n",
            flush=True,
        )
        print(layer_title(names))
        rows = []
        for row in time_layers(layers, names, where, rounds):
            print(layer_line(row, names, limits), flush=True)
            rows.append(row)
        print()
        path = out if where == devices[0] else out.with_stem(f"{out.stem}-{where}")
        plot_roofline(rows, names, limits, path)
        print(f"look at {path}")


def _what_people_run(network: dict, names: list[str], rounds: int) -> str:
    """Time the network forward, and a whole step, on one thread and on all; return the table."""
    with open_sides(names, "cpu", threads=(1, None)) as sides:
        times = time_in_turn(sides, SECONDS * rounds, rounds, prepare="training", network=network)
        peaks = {side.label: side.ask(peak=True)["bytes"] for side in sides}
    return run_table(times, peaks, network["batch"])


def _network(numbers: dict[str, int]) -> dict[str, int]:
    """Return what `layer_rows` takes."""
    own = {name: value for name, value in numbers.items() if name != "input"}
    return {"height": numbers["input"], "width": numbers["input"], **own}


def _in_words(numbers: dict[str, int], batch: int) -> str:
    input, base_channels, depth = (numbers[name] for name in ("input", "base_channels", "depth"))
    return f"input {input}, {base_channels} base channels, depth {depth}, batch {batch}"


def _machine(device: str) -> str:
    if device == "gpu":
        import cupy

        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        tf32 = "TF32 allowed" if tf32_is_allowed() else "float32 in full"
        return f"{name}, CuPy {cupy.__version__}, {tf32}"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}"
