"""How a layer of the zoo at large, and the mistakes in its backward pass, are written down."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Wrong(NamedTuple):
    """A backward pass with one mistake in it."""

    argument: str  # whose gradient is wrong: gradcheck must name it
    backward: Callable
    kind: str = "wrong"  # the finding that gradcheck must come to
    region: Any = None  # a NumPy index: the element that gradcheck names must lie there; None: anywhere


class Layer(NamedTuple):
    """A right pair, arguments to check it at, and its mistakes by what they do."""

    name: str
    forward: Callable
    backward: Callable
    args: tuple
    bugs: dict[str, Wrong]


def changed(backward: Callable, change: Callable, position: int | None = None) -> Callable:
    """Return `backward` with one gradient passed through `change`: the one at `position`, or the only one."""

    def wrong(dy, cache):
        gradients = backward(dy, cache)
        if position is None:
            return change(gradients)
        return *gradients[:position], change(gradients[position]), *gradients[position + 1 :]

    return wrong


def scaled(backward: Callable, factor: float, position: int | None = None) -> Callable:
    """Return `backward` with one gradient multiplied by `factor`."""
    return changed(backward, lambda gradient: factor * gradient, position)


def away_from(x: np.ndarray, *kinks: float, by: float = 0.05) -> np.ndarray:
    """Return x with every element that is closer than `by` to a kink moved to that distance."""
    for kink in kinks:
        side = np.where(x >= kink, 1.0, -1.0)
        x = np.where(np.abs(x - kink) < by, kink + by * side, x)
    return x
