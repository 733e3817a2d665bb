"""Numeric derivatives that know how far they can be trusted.

The derivative of  phi(t) = sum(dy * f(x + t u))  at t = 0, by central differences:  (phi(h) - phi(-h)) / (2h).
Two errors compete: the curvature of f grows with h, and rounding grows with 1/h. Only the outputs that change are
rounded differently at the two ends, so only they count for the rounding; and those that would change if the change
were not too small for their last digit, where it is known which they are.
"""

from typing import Any, NamedTuple

import numpy as np

from minunet.backend import array_module
from minunet.errors import InputError
from minunet.gradcheck.moves import DirectionMove, Move, norm, root_mean_square
from minunet.gradcheck.pair import Pair

EPS = np.finfo(np.float64).eps
PUSHES = (1.0, 1e-2)  # relative: a move so large changes every output that depends on the argument
BENT = 32  # an output bends if its second difference is so many times its rounding


class Slope(NamedTuple):
    step: float
    value: float  # the central difference
    rounding: float  # how far rounding alone can have moved it
    right: float  # the one-sided differences
    left: float
    expected: float  # what the gradient says, for the change that the arguments really made
    bend: float  # how far the one-sided differences of the outputs are apart, all taken as positive
    bent: int  # how many outputs bend

    def three(self) -> tuple[float, float, float]:
        """Return the central, the right and the left slope."""
        return self.value, self.right, self.left

    def gap(self) -> float:
        """Return how far the one-sided slopes are apart: a kink nearby, or curvature."""
        return abs(self.right - self.left)


class Probe:
    """Measures phi's slope along moves of the pair's arguments."""

    def __init__(self, pair: Pair, y, dy, noise: float):
        self.pair, self.y, self.dy = pair, y, dy
        self.noise = noise  # relative rounding error of one element of y
        self.xp = array_module(dy)
        self.size_of_dy = self.xp.abs(dy)
        self._failure: tuple[Exception, float, str] | None = None
        self._reached: dict[tuple[str, ...], Any] = {}  # {names of the arguments: mask}
        self.typical = root_mean_square(y)  # a small output may be a difference of large numbers
        with np.errstate(all="ignore"):
            self.rounding_of_all = 2 * noise * norm(self.size_of_dy * self.xp.abs(y))  # of phi, if all of y changed

    def slope(self, move: Move, step: float, count_bends: bool = False, dependent=None) -> Slope | None:
        """Return the slope along a move; None where a moved point cannot be reached, or y is not finite there.

        `dependent` is a mask of the outputs that the move is known to reach.
        """
        xp = self.xp
        with np.errstate(all="ignore"):
            right, y_right = self._at(move, step)
            left, y_left = self._at(move, -step)
            if y_right is None or y_left is None or not right.distance > left.distance:
                return None
            distance = right.distance - left.distance
            change = y_right - y_left
            value = float(self.dy @ change) / distance
            one_sided = float(self.dy @ (y_right - self.y)) / right.distance
            if not (np.isfinite(value) and np.isfinite(one_sided)):
                return None
            size = self.size_of_dy * (xp.abs(y_right) + xp.abs(y_left))
            reached = change != 0 if dependent is None else (change != 0) | dependent
            rounding = self.noise * norm(xp.where(reached, size, 0.0)) / distance
            if dependent is not None and not rounding:
                rounding = self.rounding_of_all / distance  # no change at all may be one below the last digit
            other = (value * distance - one_sided * right.distance) / -left.distance
            bend, bent = self._bend(y_right, y_left, step) if count_bends else (0.0, 0)
        expected = (right.predicted - left.predicted) / distance
        return Slope(step, value, rounding, one_sided, other, expected, bend, bent)

    def dependent(self, move: Move, step: float):
        """Return a mask of the outputs that a large move changes, None if the forward pass fails there."""
        with np.errstate(all="ignore"):
            outputs = [y for _, y in (self._at(move, step), self._at(move, -step)) if y is not None]
        return None if not outputs else (outputs[0] != self.y) | (outputs[-1] != self.y)

    def reached(self, move: DirectionMove):
        """Return `dependent` for a direction; all directions over the same arguments share one mask."""
        names = tuple(move.direction)
        if names not in self._reached:
            masks = (self.dependent(move, push) for push in PUSHES)
            self._reached[names] = next((mask for mask in masks if mask is not None), None)
        return self._reached[names]

    def rounding_at(self, mask) -> float:
        """Return the rounding error of phi if these outputs change, or all of them if it is not known which do."""
        if mask is None or not mask.any():
            return self.rounding_of_all
        with np.errstate(all="ignore"):
            return 2 * self.noise * norm(self.xp.where(mask, self.size_of_dy * self.xp.abs(self.y), 0.0))

    def refuse_if_it_failed(self) -> None:
        """Raise InputError if a forward pass failed at a moved point: nothing could be measured."""
        if self._failure:
            error, _, where = self._failure
            raise InputError(
                f"your forward failed at a point moved by {where}: {type(error).__name__}: {error}; gradcheck moves "
                "every number a little, so choose a point inside the domain, and let forward accept its neighbours"
            ) from error

    def _at(self, move: Move, step: float):
        place = move.to(step)
        try:
            return place, self.pair.output()
        except Exception as error:  # the pair's own: outside its domain, say
            if self._failure is None or abs(step) < self._failure[1]:
                self._failure = error, abs(step), move.describe(step)
            return place, None
        finally:
            move.to(0.0)

    def _bend(self, y_right, y_left, step: float) -> tuple[float, int]:
        second = self.xp.abs(y_right - 2 * self.y + y_left)
        is_bent = second > BENT * self.noise * (self.xp.abs(y_right) + self.xp.abs(y_left) + self.typical)
        return float((self.size_of_dy * self.xp.where(is_bent, second, 0.0)).sum()) / step, int(is_bent.sum())
