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

from minunet.backend import Array, Params, flatten
from minunet.layers.batch_norm import EPSILON
from minunet.network.running_averages import PAIRS, fold_unet

NORMALISED = 0.5  # share of a run


def fold_run(params: Params, running: Params, optimiser_state: Params) -> None:
    """Make the network of a run a plain one: `params` and `optimiser_state` change in place, `running` gets empty."""
    factors = _factors(params, running)
    if set(optimiser_state) == {"mean", "square"}:
        for moment, power in (("mean", -1), ("square", -2)):
            optimiser_state[moment] = _folded_state(optimiser_state[moment], factors, power)
    else:
        optimiser_state.update(_folded_state(optimiser_state, factors, 1))
    params.update(fold_unet(params, running))
    running.clear()


def _factors(params: Params, running: Params) -> dict[str, Array]:
    """Return for each normalisation, by its dotted name, what multiplies the weight before it: (F,)."""
    averages = flatten(running)
    return {
        (norm := name.removesuffix(".gamma")): gamma / (averages[f"{norm}.variance"] + EPSILON) ** 0.5
        for name, gamma in flatten(params).items()
        if name.endswith(".gamma")
    }


def _folded_state(state: Params, factors: dict[str, Array], power: int) -> Params:
    """Return a state in the structure of the plain network: scaled for the weights, and of beta for the biases."""

    def of_level(level: Params, name: str) -> Params:
        folded = {key: branch for key, branch in level.items() if key == "up"}
        for conv, norm in PAIRS:
            factor = factors[f"{name}.{norm}"] ** power
            folded[conv] = {
                "weight": level[conv]["weight"] * factor[:, None, None, None],
                "bias": level[norm]["beta"],
            }
        return folded

    return {
        "encode": [of_level(level, f"encode.{i}") for i, level in enumerate(state["encode"])],
        "bottom": of_level(state["bottom"], "bottom"),
        "decode": [of_level(level, f"decode.{i}") for i, level in enumerate(state["decode"])],
        "head": state["head"],
    }
