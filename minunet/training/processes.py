"""A batch on a CPU: a process of its own for each core.

The threads of one process share Python's lock. Each needs it between two operations of NumPy, thousands of times in a
step, and often finds another one holding it. Processes share nothing: in a small network two of them make up to twice
the steps of one, two threads far less (`python benchmarks/cores.py`).

    this process      draws the tiles, has the parameters, takes the step
    each helper       gets parameters and tiles, gives back the gradients

Of several passes each process takes some. Of a single pair of tiles, which are normalised together, two processes take
one each, and at each normalisation tell each other what they found on it (see `fast/cpu/batch_norm.py`).

A helper knows nothing of the run. So it can be lost without harm: this process then does all of it itself. The result
is the same, bit for bit. Only layers that take Winograd's way along both axes round differently on another number of
cores; networks that have one are wide, and keep the cores busy without helpers, so they have none.
"""

import functools
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minunet.backend import Array, Params, flatten
from minunet.fast.cpu.batch_norm import exchanging
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.fast.cpu.parallel import limited_to, threads
from minunet.fast.environment import convolution_choice
from minunet.network.checks import has_norm
from minunet.network.memory_needed import network_of
from minunet.network.plans import plans
from minunet.training.batch import PAIR
from minunet.training.config import Config
from minunet.training.gradient import Pass, Stack, gradient_of, on_threads, passes_at_once
from minunet.training.helper import Helper, LostError, Other, end, hear, is_ready, start, tell, welcome

PATIENCE = 2.0  # seconds until helpers are started: a shorter run is over before they are ready


class Processes:
    """A function as `on_threads`, on several processes; use it as a context, since the helpers end with it.

    They import minunet afresh: what the caller has changed in it, such as a function or a threshold, is not seen.

    Parameters
    ----------
    patience : float
        Seconds from now until helpers are started; while they load, this process works alone. With 0 they are started
        at once, and waited for.
    """

    def __init__(self, patience: float | None = None):
        self.patience = PATIENCE if patience is None else patience
        self.began = time.monotonic()
        self.helpers: list[Helper] | None = None  # none have been started yet
        self.can_start = bool(sys.executable) and not hasattr(sys, "frozen")  # else it is no Python

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self) -> None:
        """End the helpers, and start no others."""
        for helper in self.helpers or []:
            end(helper)
        self.helpers, self.can_start = [], False

    def __call__(self, config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple]:
        """Return what `gradient_of` does for each pass."""
        parts = PAIR if can_be_shared(config, params, passes) else len(passes)
        try:
            helpers = self._ready(params, passes, parts) if parts > 1 else []
            if not helpers:
                return on_threads(config, params, passes)
            with limited_to(max(1, threads() // (len(helpers) + 1))):
                if len(passes) == 1:
                    return [a_tile_each(helpers[0], config, params, *passes[0])]
                return some_passes_each(helpers, config, params, passes)
        except LostError as error:
            self.close()
            warnings.warn(
                f"a process that computed tiles has ended ({error}); the run goes on without, perhaps more slowly",
                stacklevel=2,
            )
            return on_threads(config, params, passes)
        except BaseException:  # a helper may be about to tell what nobody will ask for
            self.close()
            raise

    def _ready(self, params: Params, passes: Sequence[Pass], parts: int) -> list[Helper]:
        """Return as many helpers as `parts` can keep busy, beside this process; none as long as they are not ready."""
        if self.helpers is None and self.can_start and time.monotonic() >= self.began + self.patience:
            count = min(parts, passes_at_once(params, passes)) if is_same_on_any_cores(params, passes) else 1
            self.helpers = []
            for _ in range(count - 1):
                self.helpers.append(start(serve, max(1, threads() // count)))
                if self.patience == 0:
                    self.helpers[-1].waiting.join()
        helpers = (self.helpers or [])[: parts - 1]
        return helpers if all(map(is_ready, helpers)) else []


def serve() -> None:
    """Do what is asked until nothing more is, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows Ctrl-C reaches it, too
    caller = welcome()
    keep_freed_memory()
    np.seterr(all="ignore")  # the other process looks at the loss
    try:
        while True:
            name, *args = hear(caller)
            tell(caller, second_tile(caller, *args) if name == "second tile" else gradients(*args))
    except LostError:
        return


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
    """Return what `gradient_of` does for each pass."""
    return [gradient_of(config, params, *one) for one in passes]


def a_tile_each(helper: Helper, config: Config, params: Params, tiles: Stack, number: int) -> tuple:
    """Return what `gradient_of` does for a pair of tiles; this process takes the first one."""
    tell(helper, ("second tile", config, params, tile_of(tiles, 1), number))
    with exchanging(functools.partial(exchange_as_first, helper)):
        loss, grads, statistics = gradient_of(config, params, tile_of(tiles, 0), number, parts=PAIR)
    other_loss, other_grads, _ = hear(helper)
    others = flatten(other_grads)
    for name, gradient in flatten(grads).items():
        if ".norm" not in name:  # those of a normalisation are of both tiles already
            gradient += others[name]
    return loss + other_loss, grads, statistics


def second_tile(caller: Other, config: Config, params: Params, tile: Stack, number: int) -> tuple:
    """Return the second tile's part of what `gradient_of` does for a pair."""
    with exchanging(functools.partial(exchange_as_second, caller)):
        return gradient_of(config, params, tile, number, parts=PAIR)


def exchange_as_first(other: Helper, own: Array) -> Array:
    """Return what was found on the bands of both tiles; `own` is that of the first one."""
    tell(other, own)
    return np.concatenate([own, hear(other)])


def exchange_as_second(other: Other, own: Array) -> Array:
    """Return the same; `own` is that of the second tile. If both told first, both pipes might be full."""
    theirs = hear(other)
    tell(other, own)
    return np.concatenate([theirs, own])


def tile_of(tiles: Stack, which: int) -> Stack:
    """Return one tile of a pair, as `stacked` returns a single one."""
    (x, labels, weights), one = tiles, slice(which, which + 1)
    return x[one], labels[one], None if weights is None else weights[one]


def can_be_shared(config: Config, params: Params, passes: Sequence[Pass]) -> bool:
    """Return whether there is one pair of tiles, of which two processes can take one each, with the same result."""
    (x, _, _), _ = passes[0]
    is_pair = len(passes) == 1 and len(x) == PAIR and has_norm(params)
    has_two_classes = len(params["head"]["bias"]) == 2  # else the loss is a mean over both tiles at once
    return is_pair and has_two_classes and not config.dropout_rate and convolution_choice() != "readable"


def is_same_on_any_cores(params: Params, passes: Sequence[Pass]) -> bool:
    """Return whether each layer is computed in a way whose rounding does not depend on the number of cores."""
    (x, _, _), _ = passes[0]
    ways = {chosen.way for _, *both in plans(*x.shape[2:], **network_of(params)) for chosen in both}
    return not ways & {"winograd", "winograd_deep"}
