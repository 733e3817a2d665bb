"""Numeric derivatives that know how far they can be trusted.

The derivative of  phi(t) = sum(dy * f(x + t u))  at t = 0, by central differences:  (phi(h) - phi(-h)) / (2h).
Two errors compete: the curvature of f grows with h, and rounding grows with 1/h. Where the first step does not
settle a case, a ladder of steps is climbed down, and each rung carries its own rounding error.
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import array_module
from minunet.gradcheck.pair import Pair, branches

EPS = np.finfo(np.float64).eps
FIRST_STEP = 1e-6  # relative to the size of the argument: near the best compromise for float64
LADDER = (1e-4, 1e-8)  # the ends of the ladder of steps


class Slope(NamedTuple):
    step: float
    value: float  # the central difference
    rounding: float  # how far rounding alone can have moved it
    right: float  # the one-sided differences
    left: float

    def three(self) -> tuple[float, float, float]:
        """Return the central, the right and the left slope."""
        return self.value, self.right, self.left

    def spread(self) -> float:
        """Return how far the one-sided slopes are apart: a kink nearby, or curvature."""
        return abs(self.right - self.left)


class Probe:
    """Measures phi's slope along changes of the pair's arguments."""

    def __init__(self, pair: Pair, y, dy, noise: float):
        self.pair, self.y, self.dy = pair, y, dy
        self.noise = noise  # relative rounding error of one element of y
        self.xp = array_module(dy)

    def slope(self, move, step: float, watch: bool = False):
        """Return the slope for `move(t)`, a function that sets the arguments to x + t u; with `watch`, and branches."""
        move(step)
        y_right, cache_right = self.pair.forward()
        seen = _copied(branches(cache_right)) if watch else {}
        move(-step)
        y_left, cache_left = self.pair.forward()
        flips = [seen, _copied(branches(cache_left))] if watch else None
        move(0.0)
        change = self.xp.asarray(y_right) - y_left
        size = self.xp.abs(self.dy) * (self.xp.abs(y_right) + self.xp.abs(y_left))
        rounding = self.noise * float(self.xp.sqrt((size**2).sum())) / (2 * step)
        right = float((self.dy * (y_right - self.y)).sum()) / step
        left = float((self.dy * (self.y - y_left)).sum()) / step
        slope = Slope(step, float((self.dy * change).sum()) / (2 * step), rounding, right, left)
        return (slope, flips) if watch else slope


def scale_of(x) -> float:
    """Return the typical size of an argument's elements, 1 if all are zero."""
    size = float(array_module(x).sqrt((x * x).mean())) if x.size else 0.0
    return size if size > 0 else 1.0


def random_direction(rng: np.random.Generator, leaves: dict) -> dict:
    """Return a Gaussian direction, scaled to each argument's own size."""
    return {name: array_module(x).asarray(rng.standard_normal(x.shape) * scale_of(x)) for name, x in leaves.items()}


def ladder(scale: float) -> list[float]:
    """Return steps from coarse to fine, for a function that may live on the scale of its argument or on that of 1."""
    top, bottom = np.log10(LADDER[0] * max(scale, 1)), np.log10(LADDER[1] * min(scale, 1))
    return list(10.0 ** np.arange(top, bottom - 0.5, -1))


def move_element(x, position: int):
    """Return move(t), which sets one element of `x` to its value + t."""
    flat = x.reshape(-1)  # a view: leaves are contiguous
    value = flat[position].copy()

    def move(t):
        flat[position] = value + t

    return move


def move_along(leaves: dict, direction: dict):
    """Return move(t), which sets every leaf named in `direction` to its value + t * direction."""
    values = {name: leaves[name].copy() for name in direction}

    def move(t):
        for name, u in direction.items():
            leaves[name][...] = values[name] + t * u if t else values[name]

    return move


def _copied(seen: dict) -> dict:
    return {name: x.copy() for name, x in seen.items()}
