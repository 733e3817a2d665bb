"""Reverse-mode autograd in a hundred lines of NumPy: a tensor remembers how it was made, and `gradients` walks back.

    x, y = Tensor([3.0]), Tensor([4.0])
    f = (x * y + x).sum()
    dx, dy = gradients(f, [x, y])           # [5.], [3.]

Each operation below is a forward line and, beside it, a function from dy to a gradient for each of its operands. There
is nothing else that knows calculus: whatever is built of these operations has its gradient.
"""

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

creation = count()


class Tensor:
    """An array, what it was made of, and the way back."""

    def __init__(self, data, parents: tuple["Tensor", ...] = (), backward: Callable = lambda dy: ()):
        self.data = np.asarray(data)
        self.parents = parents  # the operands
        self.backward = backward  # dy -> (a gradient for each parent)
        self.number = next(creation)  # a parent has a lower number than what was made of it

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def __add__(self, other):
        a, b = self, tensor(other, self)
        return Tensor(a.data + b.data, (a, b), lambda dy: (sum_to_shape(dy, a.shape), sum_to_shape(dy, b.shape)))

    def __mul__(self, other):
        a, b = self, tensor(other, self)

        def backward(dy):
            return sum_to_shape(dy * b.data, a.shape), sum_to_shape(dy * a.data, b.shape)

        return Tensor(a.data * b.data, (a, b), backward)

    def __sub__(self, other):
        return self + tensor(other, self) * -1.0

    def __getitem__(self, index):
        def backward(dy):
            dx = np.zeros_like(self.data)
            dx[index] = dy
            return (dx,)

        return Tensor(self.data[index], (self,), backward)

    def reshape(self, *shape: int):
        return Tensor(self.data.reshape(shape), (self,), lambda dy: (dy.reshape(self.shape),))

    def sum(self, axis=None):
        y = self.data.sum(axis, keepdims=axis is not None)
        return Tensor(y, (self,), lambda dy: (np.broadcast_to(dy, self.shape),))


def tensor(x, like: Tensor) -> Tensor:
    """Return x as a tensor; a number or an array becomes a constant of the dtype of `like`."""
    return x if isinstance(x, Tensor) else Tensor(np.asarray(x, like.data.dtype))


def exp(x: Tensor) -> Tensor:
    y = np.exp(x.data)
    return Tensor(y, (x,), lambda dy: (dy * y,))


def log(x: Tensor) -> Tensor:
    return Tensor(np.log(x.data), (x,), lambda dy: (dy / x.data,))


def maximum(a: Tensor, b: Tensor) -> Tensor:
    """Return the larger element of the two; where they are equal, the whole gradient is that of a."""

    def backward(dy):
        b_wins = b.data > a.data
        return sum_to_shape(dy * ~b_wins, a.shape), sum_to_shape(dy * b_wins, b.shape)

    return Tensor(np.maximum(a.data, b.data), (a, b), backward)


def concatenate(a: Tensor, b: Tensor) -> Tensor:
    """Put the channels of b behind those of a."""
    C = a.shape[1]
    return Tensor(np.concatenate([a.data, b.data], axis=1), (a, b), lambda dy: (dy[:, :C], dy[:, C:]))


def einsum(subscripts: str, a: Tensor, b: Tensor) -> Tensor:
    """Multiply and sum, as np.einsum; an axis letter of an operand must be in the other one or in the result."""
    of_a, of_b, of_y = subscripts.replace("->", ",").split(",")

    def backward(dy):
        da = np.einsum(f"{of_y},{of_b}->{of_a}", dy, b.data, optimize=True)
        return da, np.einsum(f"{of_y},{of_a}->{of_b}", dy, a.data, optimize=True)

    return Tensor(np.einsum(subscripts, a.data, b.data, optimize=True), (a, b), backward)


def sum_to_shape(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo a broadcast: what was used many times gets the sum of the gradients of all uses."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return gradient.sum(axis=stretched, keepdims=True)


def history(y: Tensor) -> list[Tensor]:
    """Return y and every tensor that it was made of, the newest first."""
    found, waiting = set(), [y]
    while waiting:
        new = waiting.pop()
        if new not in found:
            found.add(new)
            waiting += new.parents
    return sorted(found, key=lambda made: -made.number)


def gradients(y: Tensor, wanted: Sequence[Tensor]) -> list[np.ndarray]:
    """Return the gradient of the number y for each of the wanted tensors."""
    grads = {y: np.ones_like(y.data)}
    for made in history(y):
        dy = grads[made] if made in wanted else grads.pop(made)
        for parent, gradient in zip(made.parents, made.backward(dy), strict=True):
            grads[parent] = grads[parent] + gradient if parent in grads else gradient  # a fork: they add up
    return [grads[one] for one in wanted]
