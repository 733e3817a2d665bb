"""Stochastic gradient descent with momentum (section 3).

    velocity = momentum * velocity + gradient
    weight   = weight - learning_rate * velocity

The one place in minunet that changes arrays in place: parameters and velocities are too many to copy each step.
"""

from minunet.backend import array_module, flatten, map_tree


def init_velocity(params):
    """Return zeros with the structure of `params`."""
    return map_tree(lambda weight: array_module(weight).zeros_like(weight), params)


def sgd_step(params, grads, velocity, learning_rate: float, momentum: float) -> None:
    """Update `params` and `velocity` in place; all three trees have the same structure."""
    flat_grads, flat_velocity = flatten(grads), flatten(velocity)
    for name, weight in flatten(params).items():
        step = flat_velocity[name]
        step *= momentum
        step += flat_grads[name]
        weight -= learning_rate * step
