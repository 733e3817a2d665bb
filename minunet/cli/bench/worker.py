"""One side of the comparison, in its own process: python -m minunet.cli.bench.worker SIDE DEVICE

It reads one line of JSON for each command and answers with one. Each side has its own process, since the threads of
NumPy and of PyTorch would slow each other down in one.

    {"prepare": "layer", "shape": [C, F, height, width]}    ->  {}
    {"prepare": "step", "network": {...}}                   ->  {}
    {"prepare": "training", "network": {...}}               ->  {}
    {"prepare": "image", "network": {...}}                  ->  {}
    {"time": 0, "calls": 1, "warm": false}                  ->  {"seconds": 0.01}     of one call of pass 0
    {"peak": true}                                          ->  {"bytes": 1400000000}

The passes: of a layer and of a step, forward and backward; of training, forward alone and a whole step, Adam included;
of an image, its prediction. The last two run as in a notebook, without the setting of the command line for memory.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from minunet.cli.bench.layer import Layer
from minunet.fast.cpu.memory import keep_freed_memory

AS_IN_A_NOTEBOOK = ("training", "image")


def main() -> None:
    side, device = importlib.import_module(f"minunet.cli.bench.{sys.argv[1]}_side"), sys.argv[2]
    passes: list[Callable] = []
    for line in sys.stdin:
        command = json.loads(line)
        reply = {}
        if "prepare" in command:
            passes = []  # frees the last case before the next one is made
            if sys.argv[1] == "minunet" and command["prepare"] not in AS_IN_A_NOTEBOOK:
                keep_freed_memory()  # as the command line does
            passes = prepared(side, device, command)
        elif "time" in command:
            if command.get("warm"):
                passes[command["time"]]()
            reply["seconds"] = seconds(passes[command["time"]], side, device, command["calls"])
        else:
            reply["bytes"] = side.peak_bytes(device) or peak_of_process()
        print(json.dumps(reply), flush=True)


def prepared(side, device: str, command: dict) -> list[Callable]:
    """Return the functions to be timed, each having run once."""
    if command["prepare"] == "layer":
        passes = side.layer_passes(arrays_of(Layer(*command["shape"])), device)
    elif "network" in command:
        passes = getattr(side, f"{command['prepare']}_passes")(command["network"], device)
    else:
        passes = [getattr(side, command["prepare"])(command["size"], device)]
    for run in passes:
        run()
    side.wait(device)
    return passes


def arrays_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return random x, weight, bias and dy of a layer, float32."""
    C, F, H, W = layer
    rng = np.random.default_rng(0)
    shapes = {"x": (1, C, H, W), "weight": (F, C, 3, 3), "bias": (F,), "dy": (1, F, H - 2, W - 2)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def seconds(run: Callable, side, device: str, calls: int) -> float:
    """Return the seconds of one call: by the GPU's own events, or by the clock on a CPU."""
    if device == "gpu":
        first, last = side.event(), side.event()
        first.record()
        for _ in range(calls):
            run()
        last.record()
        last.synchronize()
        return side.milliseconds(first, last) / 1e3 / calls
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def peak_of_process() -> int:
    """Return the most memory that this process has taken, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
