"""An optimiser's step by one kernel of `optimisers.cu`; `minunet/training/optimisers.py` explains what it does.

All arrays are flat, (size,), and hold one number for each parameter of the network: see `one_array.py`.
"""

from minunet.backend import Array
from minunet.fast.cuda.loader import launch

SOURCE = "optimisers"


def sgd_step(weights: Array, velocity: Array, gradient: Array, learning_rate: float, momentum: float) -> None:
    """Update `weights` and `velocity` in place."""
    real = weights.dtype.type
    scalars = real(learning_rate), real(momentum)
    launch(SOURCE, "sgd_step", weights.size, weights, velocity, gradient, weights.size, *scalars)


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
    scalars = [weights.dtype.type(x) for x in (rate, 1 - momentum, 1 - decay, correction, epsilon)]
    launch(SOURCE, "adam_step", weights.size, weights, mean, square, gradient, weights.size, *scalars)
