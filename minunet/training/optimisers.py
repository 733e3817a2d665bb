"""Gradient descent: with momentum, as in the paper (section 3), or Adam (Kingma and Ba 2015, algorithm 1).

Momentum adds up the gradients, the older ones counting less:

    velocity = momentum * velocity + gradient
    weight   = weight - learning_rate * velocity

Adam keeps a running mean of the gradient, and of its square, and divides one by the root of the other. So each weight
moves by about the learning rate, however large or small its gradients are:

    mean     = momentum * mean + (1 - momentum) * gradient
    square   =    decay * square + (1 - decay)  * gradient^2
    weight   = weight - learning_rate * mean / (1 - momentum^step) / (sqrt(square / (1 - decay^step)) + epsilon)

Both means begin at 0, and the divisions by 1 - momentum^step and 1 - decay^step make up for that.

A step changes parameters and state in place: they are too many to copy in each step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import Array, Params, array_module, flatten, is_number, is_whole_number, map_tree
from minunet.errors import InputError
from minunet.layers.checks import check_floating

DECAY, EPSILON = 0.999, 1e-8
MOST_STEPS = 2**53  # a float holds no larger whole number for certain


class Optimiser(NamedTuple):
    """All that training needs to know of an optimiser."""

    name: str
    init: Callable  # init(params) -> state
    step: Callable  # step(params, grads, state, learning_rate, momentum, step) changes params and state in place
    learning_rate: float  # where none is given
    normalised: float  # the same for a network with batch normalisation
    state_arrays: int  # how many arrays of its size the state holds for each parameter


def init_velocity(params: Params) -> Params:
    """Return momentum's state: zeros with the structure of `params`."""
    _flattened(params=params)
    return map_tree(lambda weight: array_module(weight).zeros_like(weight), params)


def sgd_step(params: Params, grads: Params, velocity: Params, learning_rate: float, momentum: float) -> None:
    """Update `params` and `velocity` in place; all three trees have the same structure, or InputError is raised."""
    learning_rate, momentum = _checked("sgd_step", learning_rate, momentum)
    weights, gradients, velocities = _flattened(params=params, grads=grads, velocity=velocity)
    for name, weight in weights.items():
        step = velocities[name]
        step *= momentum
        step += gradients[name]
        weight -= learning_rate * step


def init_moments(params: Params) -> dict[str, Params]:
    """Return Adam's state: `mean` and `square`, zeros with the structure of `params`."""
    return {"mean": init_velocity(params), "square": init_velocity(params)}


def adam_step(
    params: Params, grads: Params, moments: dict[str, Params], learning_rate: float, momentum: float, step: int
) -> None:
    """Update `params` and `moments` in place; `step` counts from 1 and goes up by 1 in each step.

    All trees have the structure of `params`, or InputError is raised.
    """
    learning_rate, momentum = _checked("adam_step", learning_rate, momentum)
    if not is_whole_number(step) or not 1 <= step <= MOST_STEPS:
        raise InputError(f"adam_step needs a step of at least 1, got step={step!r:.40}; count the steps: 1, 2, 3 ...")
    if not isinstance(moments, dict) or set(moments) != {"mean", "square"}:
        got = f"a dict of {list(moments)}" if isinstance(moments, dict) else f"a {type(moments).__name__}"
        raise InputError(
            f"adam_step needs moments of mean and square, got {got}; make the moments with init_moments(params)"
        )
    trees = {"params": params, "grads": grads}
    trees |= {f"moments['{name}']": moments[name] for name in ("mean", "square")}
    weights, gradients, means, squares = _flattened(**trees)
    for name, weight in weights.items():
        gradient, mean, square = gradients[name], means[name], squares[name]
        mean += (1 - momentum) * (gradient - mean)
        square += (1 - DECAY) * (gradient**2 - square)
        root = array_module(weight).sqrt(square / (1 - DECAY**step))
        least = max(EPSILON, float(np.finfo(weight.dtype).tiny))  # in float16 EPSILON is 0
        weight -= learning_rate / (1 - momentum**step) * mean / (root + least)


def _checked(function: str, learning_rate: Any, momentum: Any) -> tuple[float, float]:
    """Return the learning rate and the momentum as numbers of Python; raise InputError unless they can be these."""
    if not is_number(learning_rate):
        raise InputError(
            f"{function} needs a learning_rate that is a finite number, got {learning_rate!r}; try "
            + ", ".join(f"{optimiser.learning_rate:g} for {optimiser.name}" for optimiser in OPTIMISERS.values())
        )
    if not is_number(momentum) or not 0 <= momentum < 1:
        raise InputError(f"{function} needs a momentum in [0, 1), got {momentum!r}; try 0.9")
    return float(learning_rate), float(momentum)


def _flattened(**trees: Params) -> list[dict[str, Array]]:
    """Return each tree flat; raise InputError unless all have the names and the shapes of the first, `params`."""
    flat = {tree_name: flatten(tree) for tree_name, tree in trees.items()}
    weights = flat["params"]
    odd = [array for array in weights.values() if getattr(getattr(array, "dtype", None), "kind", None) != "f"]
    if not weights or odd:
        came = f"{getattr(odd[0], 'dtype', type(odd[0]).__name__)}" if odd else "an empty tree"
        raise InputError(
            f"params must be a tree of floating-point arrays, as from minunet.init_unet, got {came}; of a Network take "
            "its params"
        )
    expected = {name: weight.shape for name, weight in weights.items()}
    for tree_name, tree in flat.items():
        got = {name: getattr(array, "shape", None) for name, array in tree.items()}
        if got != expected:
            name = next(name for name in [*expected, *got] if expected.get(name) != got.get(name))
            raise InputError(
                f"{tree_name} must have the structure of params, with {name} {expected.get(name, 'left out')}, got "
                f"{got.get(name, 'none')}; unet_backward, init_velocity and init_moments make such trees"
            )
        for name, array in tree.items():
            check_floating(array, f"{tree_name}: {name}")
    return list(flat.values())


def _sgd_step(
    params: Params, grads: Params, velocity: Params, learning_rate: float, momentum: float, step: int
) -> None:
    """Call `sgd_step` as Adam is called; momentum does not need the number of the step."""
    sgd_step(params, grads, velocity, learning_rate, momentum)


OPTIMISERS = {
    optimiser.name: optimiser
    for optimiser in (
        Optimiser("sgd", init_velocity, _sgd_step, learning_rate=0.03, normalised=0.03, state_arrays=1),
        Optimiser("adam", init_moments, adam_step, learning_rate=0.001, normalised=0.002, state_arrays=2),
    )
}
