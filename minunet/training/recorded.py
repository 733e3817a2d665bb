"""A tile's gradient by a CUDA graph, where MINUNET_GRAPHS=on asks for it; see `minunet/fast/cuda/graph.py`."""

from collections.abc import Callable

from minunet.backend import Params, array_module
from minunet.fast.cuda.graph import replayed
from minunet.fast.environment import graphs_are_wanted
from minunet.training.config import Config


def by_graph(gradient: Callable, config: Config, params: Params, tiles: tuple, number: int) -> tuple:
    """Return gradient(config, params, tiles, number), the gradients in arrays that the next call may overwrite.

    A graph would draw the same dropout mask each time, so with dropout there is none.
    """
    xp = array_module(params["head"]["bias"])
    if config.dropout_rate or not graphs_are_wanted():
        return gradient(config, params, tiles, number)
    arrays = [None if x is None else xp.asarray(x) for x in tiles]
    loss, *others = replayed("gradient", lambda *own: gradient(config, params, own, number), params, arrays)
    return loss.copy(), *others  # the loss is what callers keep
