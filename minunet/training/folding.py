"""Batch normalisation for the first part of a run: then it is folded, and the plain network learns on.

With batch normalisation a network learns faster, but it learns something else than it predicts with: in training each
tile is normalised by its own mean and variance, at prediction by running averages. On images of different brightness
that matters. (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021, section 3, has the remedies.) So after the share
NORMALISED of a run the averages become constants, and the normalisation a factor for each channel, which is folded
into the convolution. From then on the run is one of the plain network, and no difference is left.

A folded weight is a multiple of the weight before, factor * weight. Its gradient is the gradient before, divided by the
factor; so the optimiser's state is scaled, too, and the run goes on as if nothing had happened:

    momentum's velocity      factor              it is a motion of the weight
    Adam's mean, square      1 / factor, 1 / factor^2
"""

from functools import partial

from minunet.backend import Params
from minunet.layers.batch_norm import EPSILON
from minunet.network.running_averages import PAIRS, fold_levels, fold_unet

NORMALISED = 0.5  # share of a run


def fold_run(params: Params, running: Params, optimiser_state: Params) -> None:
    """Make the network of a run a plain one: `params` and `optimiser_state` change in place, `running` gets empty."""
    factors = fold_levels(_factors, params, running)
    if set(optimiser_state) == {"mean", "square"}:
        for moment, power in (("mean", -1), ("square", -2)):
            optimiser_state[moment] = fold_levels(partial(_scaled, power=power), optimiser_state[moment], factors)
    else:
        optimiser_state.update(fold_levels(partial(_scaled, power=1), optimiser_state, factors))
    params.update(fold_unet(params, running))
    running.clear()


def _factors(level: Params, running: Params) -> Params:
    """Return by what the weight of each convolution of a level is multiplied, (F,)."""
    return {conv: level[norm]["gamma"] / (running[norm]["variance"] + EPSILON) ** 0.5 for conv, norm in PAIRS}


def _scaled(level: Params, factors: Params, power: int) -> Params:
    """Return the state of a level: scaled for the weights, and that of beta for the biases."""
    return {
        conv: {
            "weight": level[conv]["weight"] * (factors[conv] ** power)[:, None, None, None],
            "bias": level[norm]["beta"],
        }
        for conv, norm in PAIRS
    }
