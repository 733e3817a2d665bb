import numpy as np

from minunet import relu_backward, relu_forward
from zoo.bug import Cage

x = np.random.default_rng(11).standard_normal((2, 3, 5, 4))
cage = Cage("relu", relu_forward, relu_backward, (x,))


@cage.bug("wrong", "x")
def gate_forgotten(dy, cache):
    return dy.copy()


@cage.bug("wrong", "x")
def gate_on_dy_too(dy, cache):
    return dy * (cache.y > 0) * (dy > 0)  # "guided backpropagation"


@cage.bug("wrong", "x")
def gate_inverted(dy, cache):
    return dy * (cache.y <= 0)


@cage.bug("wrong", "x")
def gate_leaks(dy, cache):
    return np.where(cache.y > 0, dy, 0.01 * dy)


@cage.bug("wrong", "x")
def dy_ignored(dy, cache):
    return (cache.y > 0).astype(dy.dtype)


@cage.bug("wrong", "x")
def gate_of_the_first_image_for_all(dy, cache):
    return dy * (cache.y[:1] > 0)


@cage.forward_bug("mutated", "x")
def forward_in_place(x):
    y = np.maximum(x, 0, out=x)
    return relu_forward(y)


@cage.bug("vacuous", args=(-np.abs(x) - 0.1,))
def dead_relu_with_no_gate(dy, cache):
    return np.zeros_like(dy)
