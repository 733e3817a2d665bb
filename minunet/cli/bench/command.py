"""`minunet bench`: time every 3x3 layer and a training step, and draw the speeds."""

import argparse
import importlib.util
import os
import platform
from pathlib import Path

import numpy as np

from minunet.cli.bench.layer import layers_of
from minunet.cli.bench.report import layer_line, layer_title, plot_roofline, step_table
from minunet.cli.bench.sides import roofs, time_layers, time_step
from minunet.cli.shared_options import check_range
from minunet.errors import InputError
from minunet.files import picture_path
from minunet.gpu import gpu_is_there, tf32_is_allowed
from minunet.network.checks import check_numbers
from minunet.network.sizes import LARGEST_TILE

MOST_ROUNDS = 10_000
MOST_TILES = 1000

EXAMPLE = "minunet bench --against torch"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument("--input", type=int, default=572, metavar="N", help="side of the input in pixels; default 572")
    channels = "channels at full resolution, doubled with each level down; default 64"
    command.add_argument("--base-channels", type=int, default=64, metavar="N", help=channels)
    command.add_argument(
        "--depth", type=int, default=4, metavar="N", help="how many times an image is halved; default 4"
    )
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
    input: int = 572,
    base_channels: int = 64,
    depth: int = 4,
    batch: int = 1,
    device: str | None = None,
    against: str | None = None,
    rounds: int = 5,
    out: str | Path = "bench.png",
) -> None:
    """Time every shape of 3x3 layer and a training step on each device, print tables, and draw a roofline of each.

    Each side is a process of its own; they take turns, and the numbers are medians, in float32. A layer has a batch of
    one. PyTorch makes the training step twice, with its usual layout of memory and with channels last; on a GPU once
    more, when cuDNN has tried which of its convolutions is fastest. There the GPU's own events tell the time.

    Parameters
    ----------
    input, base_channels, depth : int
        The network, and the size of its input in pixels.
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
    check_range("--rounds", rounds, 1, MOST_ROUNDS)
    check_range("--input", input, 1, LARGEST_TILE)
    check_range("--batch", batch, 1, MOST_TILES)
    check_numbers(base_channels=base_channels, depth=depth)
    if against == "torch" and importlib.util.find_spec("torch") is None:
        raise InputError("--against torch needs PyTorch, found none; install it with python -m pip install torch")
    network = {"height": input, "width": input, "base_channels": base_channels, "depth": depth}
    layers = layers_of(network)
    names = ["minunet"] + ([against] if against else [])
    both_layouts = names + ([f"{against}_channels_last"] if against else [])
    out = picture_path(out)
    if device:
        devices = [device]
    else:
        devices = ["cpu", "gpu"] if gpu_is_there() else ["cpu"]
    for where in devices:
        case = f"input {input}, {base_channels} base channels, depth {depth}, batch {batch}"
        print(f"{_machine(where)}; {case}, medians of {rounds}")
        limits = roofs(where, rounds)
        print(f"matrix product {limits['flops'] / 1e9:.0f} GFLOP/s, copy {limits['bytes'] / 1e9:.1f} GB/s\n")
        settings = both_layouts + ([f"{against}_fastest_cudnn"] if against and where == "gpu" else [])
        print(
            step_table(time_step({**network, "batch": batch}, settings, where, rounds), batch), end="\n\n", flush=True
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


def _machine(device: str) -> str:
    if device == "gpu":
        import cupy

        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        tf32 = "TF32 allowed" if tf32_is_allowed() else "float32 in full"
        return f"{name}, CuPy {cupy.__version__}, {tf32}"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}"
