"""Starts a process for each side, minunet and PyTorch, and lets them work in turn; `worker.py` runs in each."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from minunet.cli.bench.layer import Layer
from minunet.errors import InputError
from minunet.fast.cpu.limits import THREADS
from minunet.progress import ProgressBar

PAUSE = 0.05  # seconds after each pass, so that one side's threads have gone to sleep before the other's start
PRODUCT = 4096  # rows and columns of the matrices whose product shows the processor's limit
COPY = {"cpu": 50_000_000, "gpu": 500_000_000}  # numbers whose copy shows the memory's limit: 2 GB on a GPU
CALLS = {"cpu": 1, "gpu": 10}  # of a layer between two looks at the clock: one call on a GPU is too short for it


class Side:
    """A worker process; use it as a context. It may have a number of threads; without, it takes its own default."""

    def __init__(self, name: str, device: str, threads: int | None = None):
        self.name, self.device, self.threads = name, device, threads
        self.label = name if threads is None else f"{name}, {threads} thread{'s' if threads > 1 else ''}"

    def __enter__(self):
        command = [sys.executable, "-m", "minunet.cli.bench.worker", self.name, self.device]
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        limits = {} if self.threads is None else dict.fromkeys(THREADS, str(self.threads))
        self.process = subprocess.Popen(command, **pipes, text=True, env={**os.environ, **limits})
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()

    def ask(self, **command) -> dict:
        """Send a command and return the reply; raise InputError with the last line of its error output if it died."""
        stdin, stdout, stderr = self.process.stdin, self.process.stdout, self.process.stderr
        assert stdin and stdout and stderr  # `__enter__` has opened all three
        try:
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # the process has died; its error message is read below
        reply = stdout.readline()
        if not reply:
            lines = stderr.read().strip().splitlines() or ["no message; out of memory?"]
            raise InputError(f"{self.name} on {self.device} stopped: {lines[-1]}")
        return json.loads(reply)

    def seconds(self, which: int, calls: int = 1, warm: bool = False) -> float:
        """Return the seconds of one call; with `warm` there is one more before, which does not count."""
        seconds = self.ask(time=which, calls=calls, warm=warm)["seconds"]
        time.sleep(PAUSE)
        return seconds


def roofs(device: str, rounds: int) -> dict[str, float]:
    """Return what the machine can do in a second: "flops" of a large matrix product, "bytes" moved by a copy."""
    with Side("minunet", device) as side:
        side.ask(prepare="product", size=PRODUCT)
        flops = 2 * PRODUCT**3 / min(side.seconds(0) for _ in range(rounds))
        side.ask(prepare="copy", size=COPY[device])
        moved = 2 * 4 * COPY[device] / min(side.seconds(0) for _ in range(rounds))
    return {"flops": flops, "bytes": moved}


def time_layers(layers: list[Layer], names: list[str], device: str, rounds: int) -> Iterator[dict]:
    """Yield a row for each layer: the layer, and the median seconds of forward and backward of each side.

    A side has one process for all layers.
    """
    with open_sides(names, device) as sides:
        for layer in ProgressBar(layers, unit="layer", disable=None, leave=False):
            medians = _in_turn(sides, rounds, CALLS[device], prepare="layer", shape=list(layer))
            yield {"layer": layer, **medians}


def time_step(network: dict, names: list[str], device: str, rounds: int) -> dict[str, dict]:
    """Return for each side the median seconds of forward and backward, and the peak memory in bytes."""
    with open_sides(names, device) as sides:
        medians = _in_turn(sides, rounds, 1, prepare="step", network=network)
        return {side.name: {"seconds": medians[side.name], "peak": side.ask(peak=True)["bytes"]} for side in sides}


@contextlib.contextmanager
def open_sides(names: list[str], device: str, threads: Sequence[int | None] = (None,)):
    """Start a process for each side, with each number of threads, and end them."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Side(name, device, count)) for count in threads for name in names]


def _in_turn(sides: list[Side], rounds: int, calls: int, **case) -> dict[str, list[float]]:
    """Let each side prepare the case, time forward and backward in turn, and return the medians."""
    times: dict[str, tuple[list[float], list[float]]] = {side.name: ([], []) for side in sides}
    for side in sides:
        side.ask(**case)
    for _ in ProgressBar(range(rounds), unit="round", disable=None if case["prepare"] == "step" else True, leave=False):
        for side in sides:
            for which in (0, 1):
                times[side.name][which].append(side.seconds(which, calls))
    return {name: [statistics.median(passes) for passes in both] for name, both in times.items()}
