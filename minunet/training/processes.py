"""A batch of several passes on a CPU: a process of its own for each core.

The threads of one process share Python's lock. Each needs it between two operations of NumPy, thousands of times in a
step, and often finds another one holding it. Processes share nothing: in a small network two of them make nearly twice
the steps of one, two threads far less (`python benchmarks/cores.py`).

    this process      draws the tiles, has the parameters, takes the step
    each helper       gets parameters and passes     through its standard input
                      gives back the gradients       through its standard output

A helper knows nothing of the run and keeps nothing. So it can be lost without harm: this process then does all passes
itself. The result is the same, bit for bit, as a pass depends only on its tiles and the parameters.
"""

import contextlib
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

from minunet.backend import Params
from minunet.fast.cpu.limits import THREADS
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.fast.cpu.parallel import in_parallel
from minunet.training.config import Config
from minunet.training.gradient import Pass, gradient_of, on_threads, passes_at_once

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
        count = min(passes_at_once(params, passes), len(passes))
        if count == 1 or not self.can_start or time.monotonic() < self.wanted_from:
            return on_threads(config, params, passes)
        shares = [passes[k::count] for k in range(count)]
        results: list[Any] = [None] * len(passes)
        try:
            while len(self.helpers) < count - 1:
                self.helpers.append(start_helper())
            for helper, share in zip(self.helpers, shares[1:], strict=False):
                give(helper, (config, params, share))
            results[::count] = [result for one in shares[0] for result in gradients(config, params, [one])]
            for k, helper in enumerate(self.helpers[: count - 1], start=1):
                results[k::count] = pickle.load(helper.answers)
        except LOST as error:
            self.can_start = False
            self.__exit__()
            warnings.warn(
                f"a process that computed tiles has ended ({type(error).__name__}); the run goes on without, perhaps "
                "more slowly",
                stacklevel=2,
            )
            return on_threads(config, params, passes)
        return results


class Helper(NamedTuple):
    """A process that computes gradients."""

    process: subprocess.Popen
    questions: IO[bytes]
    answers: IO[bytes]


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
    return Helper(process, process.stdin, process.stdout)


def give(helper: Helper, question: tuple) -> None:
    """Send a question; the answer is read later, so that all helpers compute meanwhile."""
    pickle.dump(question, helper.questions, protocol=5)
    helper.questions.flush()


def end(helper: Helper) -> None:
    """End a helper, whatever it does: it has nothing to lose."""
    helper.process.kill()
    for pipe in (helper.questions, helper.answers):
        with contextlib.suppress(OSError):  # what it was being sent
            pipe.close()
    helper.process.wait()


def gradients(config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple]:
    """Return what `gradient_of` does for each pass, on one core."""
    return [in_parallel(lambda one: gradient_of(config, params, *one), [one])[0] for one in passes]


def serve() -> None:
    """Answer questions until there are no more, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too, and the step is still needed
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    keep_freed_memory()
    np.seterr(all="ignore")  # the other process looks at the loss
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            answer = gradients(*pickle.load(questions))
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
