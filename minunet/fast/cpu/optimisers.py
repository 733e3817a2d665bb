"""An optimiser's step, chunk by chunk; `minunet/training/optimisers.py` explains what it does.

All arrays are flat, (size,), and hold one number for each parameter of the network: see `one_array.py`. The readable
step goes through each of its arrays a dozen times, from memory; a chunk of them stays in a core's cache. The operations
are the same, in the same order, and so is every bit of the result.
"""

from collections.abc import Callable

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu import memory
from minunet.fast.cpu.parallel import in_parallel, parts_of


def sgd_step(weights: Array, velocity: Array, gradient: Array, learning_rate: float, momentum: float) -> None:
    """Update `weights` and `velocity` in place."""

    def some(chunk: slice, change: Array, _: Array) -> None:
        step = velocity[chunk]
        step *= momentum
        step += gradient[chunk]
        weights[chunk] -= np.multiply(learning_rate, step, out=change)

    _chunk_by_chunk(some, weights)


def adam_step(
    weights: Array,
    mean: Array,
    square: Array,
    gradient: Array,
    learning_rate: float,
    momentum: float,
    decay: float,
    epsilon: float,
    step: int,
) -> None:
    """Update `weights`, `mean` and `square` in place; `step` counts from 1."""
    rate, correction = learning_rate / (1 - momentum**step), 1 - decay**step
    least = max(epsilon, float(np.finfo(weights.dtype).tiny))  # in float16 epsilon is 0

    def some(chunk: slice, change: Array, moved: Array) -> None:
        g, m, s = gradient[chunk], mean[chunk], square[chunk]
        np.subtract(g, m, out=change)
        change *= 1 - momentum
        m += change
        np.square(g, out=change)
        change -= s
        change *= 1 - decay
        s += change
        root = np.divide(s, correction, out=change)
        np.sqrt(root, out=root)
        root += least
        np.multiply(rate, m, out=moved)
        moved /= root
        weights[chunk] -= moved

    _chunk_by_chunk(some, weights)


def _chunk_by_chunk(work: Callable[[slice, Array, Array], None], weights: Array) -> None:
    """Call `work` for each chunk of the weights, with two arrays of its size to work in; the cores share the chunks."""
    step = thresholds.OPTIMISER_CHUNK

    def part(some: slice) -> None:
        scratch = memory.empty((2, step), weights.dtype)
        for start in range(some.start, some.stop, step):
            stop = min(start + step, some.stop)
            work(slice(start, stop), *scratch[:, : stop - start])

    in_parallel(part, parts_of(weights.size, multiple=step))
