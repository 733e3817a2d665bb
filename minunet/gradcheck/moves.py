"""Moves of the arguments: one element, or everything along a direction, and how far they really went.

x + t u is rounded, so the way from x - h u to x + h u is not exactly 2 h u. Every move says what it really was.
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import array_module


class Place(NamedTuple):
    distance: float  # how far from the start, in the unit of the step
    predicted: float  # by how much phi has changed, if the gradient is right


class Move:
    """A change of the arguments that can be made in steps of any size, and taken back."""

    def to(self, t: float) -> Place:
        """Set the arguments to their start + t."""
        raise NotImplementedError

    def describe(self, t: float) -> str:
        """Return the step in words."""
        raise NotImplementedError


class ElementMove(Move):
    """One element of one argument, with its gradient."""

    def __init__(self, name: str, x, position: int, gradient: float):
        self.name, self.shape, self.position, self.gradient = name, x.shape, position, gradient
        self.flat = x.reshape(-1)  # a view: leaves are contiguous
        self.start = float(self.flat[position])

    def to(self, t: float) -> Place:
        value = self.start + t
        self.flat[self.position] = value
        distance = value - self.start
        return Place(distance, self.gradient * distance)

    def describe(self, t: float) -> str:
        index = ", ".join(str(int(i)) for i in np.unravel_index(self.position, self.shape))
        return f"{t:.1e} in {self.name}[{index}]"


class DirectionMove(Move):
    """All leaves named in `direction`, along it; their gradients predict the change of phi."""

    def __init__(self, leaves: dict, direction: dict, gradients: dict | None = None):
        self.leaves, self.direction, self.gradients = leaves, direction, gradients
        self.starts = {name: leaves[name].copy() for name in direction}

    def to(self, t: float) -> Place:
        predicted = 0.0
        for name, u in self.direction.items():
            start, x = self.starts[name], self.leaves[name]
            x[...] = start + t * u if t else start
            if t and self.gradients is not None:
                predicted += float(self.gradients[name].reshape(-1) @ (x - start).reshape(-1))
        return Place(t, predicted)

    def describe(self, t: float) -> str:
        return f"{t:.1e} of the size of {', '.join(self.direction)}, along a random direction"


def norm(x) -> float:
    """Return the root of the sum of squares, of numbers from 1e-300 to 1e300; infinity or NaN if one is not finite."""
    largest = float(abs(x).max()) if x.size else 0.0
    if largest == 0 or not np.isfinite(largest):
        return largest
    scaled = (x / largest).reshape(-1)
    return largest * float(scaled @ scaled) ** 0.5


def root_mean_square(x) -> float:
    """Return the typical size of an array's elements, 0 if there are none."""
    return norm(x) / max(1, x.size) ** 0.5


def size_of(x) -> float:
    """Return the root mean square of an argument's elements, 1 if all are zero or some are not finite."""
    size = root_mean_square(x)
    return size if size and np.isfinite(size) else 1.0


def random_direction(rng: np.random.Generator, leaves: dict, own_scale: bool = False) -> dict:
    """Return a direction that moves every element by 0.5 to 1.5 times the size of its argument, up or down.

    No element moves by much less than the others, so an error in any one of them shows. With `own_scale` each moves
    in proportion to its own value.
    """
    direction = {}
    for name, x in leaves.items():
        xp = array_module(x)
        u = rng.uniform(0.5, 1.5, x.shape)
        u *= rng.integers(0, 2, x.shape, dtype=np.int8) * 2.0 - 1.0
        u = xp.asarray(u)
        size = size_of(x)
        direction[name] = u * xp.where(x != 0, abs(x), size) if own_scale else u * size
    return direction
