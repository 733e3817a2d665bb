"""A tile's gradient by a CUDA graph, where MINUNET_GRAPHS=on asks for it; see `minunet/fast/cuda/graph.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minunet.backend import array_module
from minunet.fast.cuda.graph import replayed
from minunet.fast.environment import graphs_are_wanted


def by_graph(gradient: Callable, run: Any, tile: tuple, number: int) -> tuple:
    """Return gradient(run, tile, number), the gradients in arrays that the next call may overwrite.

    A graph would draw the same dropout mask each time, so with dropout there is none.
    """
    xp = array_module(run.params["head"]["bias"])
    if xp is np or run.config.dropout_rate or not graphs_are_wanted():
        return gradient(run, tile, number)
    arrays = [None if x is None else xp.asarray(x) for x in tile]
    loss, *others = replayed("gradient", lambda *own: gradient(run, own, number), run.params, arrays)
    return loss.copy(), *others  # the loss is what callers keep
