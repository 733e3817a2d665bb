"""The gradient of some tiles, and of a whole batch of them on the cores of a CPU.

The tiles of a batch that go through the network together, one or two (see `batch.py`), are called a pass. A pass
depends on its tiles alone, so a batch of several passes can be computed in any order, anywhere.
"""

from collections.abc import Sequence

import numpy as np

from minunet.backend import Array, Params, array_module
from minunet.fast.cpu.parallel import side_by_side
from minunet.fast.layers import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.network.running_averages import statistics
from minunet.network.tiles_at_once import tiles_at_once
from minunet.network.unet import unet_backward, unet_forward
from minunet.training.config import Config

Stack = tuple[Array, Array, Array | None]  # x (N, C, tile, tile), labels and weights (N, output, output), or no weights
Pass = tuple[Stack, int]  # tiles, as `stacked` returns them, and the number of the first one


def gradient_of(
    config: Config, params: Params, tiles: Stack, number: int, parts: int = 1
) -> tuple[Array, Params, Params]:
    """Go forward and backward with tiles as `stacked` returns them, the first of which has this number.

    Return the mean loss, the gradients and the statistics of batch normalisation. Where the tiles are one of several
    equal parts of a pass, within `exchanging` of `fast/cpu/batch_norm.py`, return its share of the loss and of the
    gradients; but those of gamma and beta, and the statistics, are of all parts.
    """
    xp = array_module(params["head"]["bias"])
    x, labels, weights = tiles
    x, labels = xp.asarray(x), xp.asarray(labels)  # (N, C, tile, tile), (N, output, output)
    if weights is not None:
        weights = xp.asarray(weights)
    rng = np.random.default_rng([config.seed, number, 1])
    logits, cache = unet_forward(params, x, config.dropout_rate, rng)  # (N, K, output, output)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    dlogits = softmax_cross_entropy_backward(xp.full((), 1 / parts, x.dtype), loss_cache)
    if parts > 1:
        loss = loss * x.dtype.type(1 / parts)
    return loss, unet_backward(dlogits, cache), statistics(cache, parts)


def on_threads(config: Config, params: Params, passes: Sequence[Pass]) -> list[tuple[Array, Params, Params]]:
    """Return what `gradient_of` does for each pass; the cores share them as `tiles_at_once.py` says."""
    if len(passes) == 1:
        return [gradient_of(config, params, *passes[0])]
    at_once = passes_at_once(params, passes)
    return side_by_side(lambda one: gradient_of(config, params, *one), passes, at_once)


def passes_at_once(params: Params, passes: Sequence[Pass]) -> int:
    """Return how many passes a CPU works on at once, each on a core of its own; 1 if all cores share each of them."""
    (x, _, _), _ = passes[0]
    N, _, H, W = x.shape
    return tiles_at_once(params, H, W, with_backward=True, together=N)
