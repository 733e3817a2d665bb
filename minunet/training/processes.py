"""A batch on a CPU: a process of its own for each core.

The threads of one process share Python's lock. Each needs it between two operations of NumPy, thousands of times in a
step, and often finds another one holding it. Processes share nothing: in a small network two of them make nearly twice
the steps of one, two threads far less (`python benchmarks/cores.py`).

    this process      draws the tiles, has the parameters, takes the step
    each helper       gets parameters and tiles      through its standard input
                      gives back the gradients       through its standard output

Of several passes each process takes some. Of a single pair of tiles, which are normalised together, two processes take
one each, and at each normalisation tell each other what they found on it (see `fast/cpu/batch_norm.py`).

A helper knows nothing of the run and keeps nothing. So it can be lost without harm: this process then does all of it
itself. The result is the same, bit for bit.
"""

import contextlib
import functools
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from minunet.backend import Array, Params, flatten
from minunet.fast.cpu.batch_norm import exchanging
from minunet.fast.cpu.limits import THREADS
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.environment import convolution_choice
from minunet.network.checks import has_norm
from minunet.training.batch import PAIR
from minunet.training.config import Config
from minunet.training.gradient import Pass, Stack, gradient_of, on_threads, passes_at_once

PATIENCE = 2.0  # seconds of training before helpers are started: a shorter run is over before they are ready
PIPE = 2**20  # bytes that a pipe may hold: with the usual 64 KiB the two sides would take turns dozens of times
HERE = str(Path(__file__).parents[2])  # the folder that minunet is in
LOST = (OSError, EOFError, pickle.UnpicklingError)  # what talking to a helper raises that has died


class Processes:
    """A function as `on_threads`, on several processes; use it as a context, since the helpers end with it.

    They import minunet afresh: functions that the caller has put in place of minunet's are not seen.
    """

    def __init__(self, patience: float | None = None):
        self.helpers: list[Helper] = []
        self.wanted_from = time.monotonic() + (PATIENCE if patience is None else patience)
        self.can_start = bool(sys.executable) and not hasattr(sys, "frozen")  # else it is no Python

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for helper in self.helpers:
            end(helper)
        self.helpers.clear()

    def __call__(self, config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple]:
        """Return what `gradient_of` does for each pass."""
        is_shared = can_be_shared(config, params, passes)
        parts = PAIR if is_shared else len(passes)
        count = min(parts, passes_at_once(params, passes)) if parts > 1 else 1
        if count == 1 or not self.can_start or time.monotonic() < self.wanted_from:
            return on_threads(config, params, passes)
        try:
            while len(self.helpers) < count - 1:
                self.helpers.append(start_helper())
            if is_shared:
                return [a_tile_each(self.helpers[0], config, params, *passes[0])]
            return some_passes_each(self.helpers[: count - 1], config, params, passes)
        except LOST as error:
            self.can_start = False
            self.__exit__()
            warnings.warn(
                f"a process that computed tiles has ended ({type(error).__name__}); the run goes on without, perhaps "
                "more slowly",
                stacklevel=2,
            )
            return on_threads(config, params, passes)


class Helper(NamedTuple):
    """The other end of a process; for the helper itself, this process."""

    heard: IO[bytes]
    told: IO[bytes]
    process: subprocess.Popen | None = None


def start_helper() -> Helper:
    """Start a process with this one's modules, on one thread."""
    code = f"import sys; sys.path[:] = {[*sys.path, HERE]!r}; from minunet.training.processes import serve; serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=PIPE,
        env={**os.environ, **dict.fromkeys(THREADS, "1")},
    )
    assert process.stdin and process.stdout  # as asked for
    return Helper(process.stdout, process.stdin, process)


def end(helper: Helper) -> None:
    """End a helper, whatever it does: it has nothing to lose."""
    assert helper.process
    helper.process.kill()
    for pipe in (helper.heard, helper.told):
        with contextlib.suppress(OSError):  # what it was being told
            pipe.close()
    helper.process.wait()


def tell(other: Helper, thing: Any) -> None:
    pickle.dump(thing, other.told, protocol=5)
    other.told.flush()


def hear(other: Helper) -> Any:
    return pickle.load(other.heard)


def serve() -> None:
    """Do what is asked until nothing more is, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too, and the step is still needed
    caller = Helper(sys.stdin.buffer, sys.stdout.buffer)
    keep_freed_memory()
    np.seterr(all="ignore")  # the other process looks at the loss
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            name, *args = hear(caller)
            tell(caller, second_tile(caller, *args) if name == "second tile" else gradients(*args))


def some_passes_each(helpers: list[Helper], config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple]:
    """Return what `gradient_of` does for each pass; this process takes the first one, and so on in turn."""
    count = len(helpers) + 1
    for k, helper in enumerate(helpers, start=1):
        tell(helper, ("passes", config, params, passes[k::count]))
    results: list[Any] = [None] * len(passes)
    results[::count] = gradients(config, params, passes[::count])
    for k, helper in enumerate(helpers, start=1):
        results[k::count] = hear(helper)
    return results


def gradients(config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple]:
    """Return what `gradient_of` does for each pass, on one core."""
    return [in_parallel(lambda one: gradient_of(config, params, *one), [one])[0] for one in passes]


def can_be_shared(config: Config, params: Params, passes: Sequence[Pass]) -> bool:
    """Return whether there is one pair of tiles, of which two processes can take one each, with the same result."""
    (x, _, _), _ = passes[0]
    is_pair = len(passes) == 1 and len(x) == PAIR and has_norm(params)
    has_two_classes = len(params["head"]["bias"]) == PAIR  # else the loss is a mean over both tiles at once
    return is_pair and has_two_classes and not config.dropout_rate and convolution_choice() != "readable"


def a_tile_each(helper: Helper, config: Config, params: Params, tiles: Stack, number: int) -> tuple:
    """Return what `gradient_of` does for a pair of tiles."""
    tell(helper, ("second tile", config, params, tile_of(tiles, 1), number))
    loss, grads, statistics = half(exchange_as_first, helper, config, params, tile_of(tiles, 0), number)
    other_loss, other_grads, _ = hear(helper)
    others = flatten(other_grads)
    for name, gradient in flatten(grads).items():
        if "norm" not in name:  # its sums are over both tiles already
            gradient += others[name]
    return loss + other_loss, grads, statistics


def second_tile(caller: Helper, config: Config, params: Params, tile: Stack, number: int) -> tuple:
    return half(exchange_as_second, caller, config, params, tile, number)


def half(exchange, other: Helper, config: Config, params: Params, tile: Stack, number: int) -> tuple:
    """Return what `gradient_of` does for one tile of a pair, on one core."""
    with exchanging(functools.partial(exchange, other)):
        return in_parallel(lambda one: gradient_of(config, params, one, number, parts=PAIR), [tile])[0]


def exchange_as_first(other: Helper, own: Array) -> Array:
    tell(other, own)
    return np.concatenate([own, hear(other)])


def exchange_as_second(other: Helper, own: Array) -> Array:
    theirs = hear(other)  # first one, then the other: if both told first, both pipes might be full
    tell(other, own)
    return np.concatenate([theirs, own])


def tile_of(tiles: Stack, which: int) -> Stack:
    """Return one tile of a pair, as `stacked` returns a single one."""
    (x, labels, weights), one = tiles, slice(which, which + 1)
    return x[one], labels[one], None if weights is None else weights[one]
