"""From a network with batch normalisation to the plain one that predicts: running averages, put into the convolutions.

In training, each channel is normalised by the mean and the variance of the batch. A prediction must not depend on what
else is in the batch, nor on how an image is cut into tiles. So training keeps an average of these statistics over its
steps, and at prediction they are constants:

    running  =  (1 - share) * running  +  share * statistics           share = max(MOMENTUM, 1 / step)

The first steps count alike: after step n <= 1 / MOMENTUM the average is the mean of n. So a few steps suffice for an
average that makes sense. From then on the older steps fade.

With these constants, a normalisation is a factor and a shift for each channel, which `fold_unet` puts into the weight
and the bias of the convolution before it. What is left is a plain U-Net: prediction costs nothing more, and nothing
that takes a network needs to know that it was trained with batch normalisation.
"""

from collections.abc import Callable

from minunet.backend import Array, Params, array_module, flatten
from minunet.fast.one_array import concatenated, in_one_array
from minunet.layers.batch_norm import BatchNormCache, fold_batch_norm
from minunet.network.checks import has_norm
from minunet.network.unet import UnetCache

MOMENTUM = 0.05  # about the last 1 / MOMENTUM steps count: fewer are noisy, and older ones had other parameters
PAIRS = (("conv1", "norm1"), ("conv2", "norm2"))  # of a double convolution


def first_running(params: Params) -> Params:
    """Return the averages before the first step: mean 0 and variance 1 for each normalisation.

    They are {"encode": [{"norm1": {"mean", "variance"}, "norm2": ...}, ...], "bottom": ..., "decode": [...]}, and an
    empty dict if the network has no normalisation.
    """

    def of(level: Params) -> Params:
        return {norm: _zeros_and_ones(level[norm]["gamma"]) for _, norm in PAIRS}

    return _of_levels(of, params["encode"], params["bottom"], params["decode"]) if has_norm(params) else {}


def statistics(cache: UnetCache, parts: int = 1) -> Params:
    """Return the mean and the unbiased variance of each normalisation in this batch, in the structure of the averages.

    An empty dict if the network has none. The cache may be that of one of several equal parts of the batch.
    """

    def of(level: object) -> Params:
        double_conv = getattr(level, "conv", level)
        return {norm: _unbiased(getattr(double_conv, norm), parts) for _, norm in PAIRS}

    return {} if cache.bottom.norm1 is None else _of_levels(of, cache.encode, cache.bottom, cache.decode)


def update_running_averages(running: Params, statistics: dict[str, Array], step: int) -> None:
    """Move the averages towards the statistics of a step, which are flat; `step` counts from 1.

    The arrays of `running` become views of one array: so all are moved at once.
    """
    if not running:
        return
    share = max(MOMENTUM, 1 / step)
    averages = in_one_array(running)
    averages *= 1 - share
    averages += share * concatenated([statistics[name] for name in flatten(running)])


def fold_unet(params: Params, running: Params) -> Params:
    """Return the parameters of the plain U-Net that does at prediction what these parameters and averages do.

    Fresh arrays for the 3x3 convolutions; the others are those of `params`.
    """

    def of_level(pair: tuple[Params, Params]) -> Params:
        level, averages = pair
        return {**{name: level[name] for name in ("up",) if name in level}, **fold_double_conv(level, averages)}

    encode, decode = (list(zip(params[part], running[part], strict=True)) for part in ("encode", "decode"))
    bottom = params["bottom"], running["bottom"]
    return {**_of_levels(of_level, encode, bottom, decode), "head": params["head"]}


def fold_double_conv(level: Params, running: Params) -> Params:
    """Return conv1 and conv2 of the plain network, each with what the normalisation after it does."""
    folded = {}
    for conv, norm in PAIRS:
        gamma, beta = level[norm]["gamma"], level[norm]["beta"]
        no_bias, averages = array_module(beta).zeros_like(beta), running[norm]
        mean, variance = averages["mean"], averages["variance"]
        weight, bias = fold_batch_norm(level[conv]["weight"], no_bias, gamma, beta, mean, variance)
        folded[conv] = {"weight": weight, "bias": bias}
    return folded


def _of_levels(of: Callable, encode: list, bottom: object, decode: list) -> Params:
    return {"encode": [of(level) for level in encode], "bottom": of(bottom), "decode": [of(level) for level in decode]}


def _zeros_and_ones(gamma: Array) -> Params:
    xp = array_module(gamma)
    return {"mean": xp.zeros_like(gamma), "variance": xp.ones_like(gamma)}


def _unbiased(cache: BatchNormCache, parts: int) -> Params:
    """Return mean and variance; M pixels lie nearer to their own mean than to the true one, so M - 1 divides."""
    N, _, H, W = cache.x_hat.shape
    M = parts * N * H * W
    return {"mean": cache.mean, "variance": cache.variance * (M / (M - 1))}
