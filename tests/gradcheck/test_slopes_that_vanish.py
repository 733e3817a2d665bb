"""A derivative of exactly 0, to which difference quotients only come as fast as the step shrinks, or a power of it."""

import numpy as np
import pytest
from layer_pairs import MODES, kinds

from minunet import gradcheck

normal = np.random.default_rng(1).standard_normal
padded = np.vstack([normal((3, 4)), np.zeros((2, 4))])
points = np.array([0.0, 0.5, -2.0])


def squash(x):
    """Return Hinton's squash of each row, |x|**2 / (1 + |x|**2) * x / |x|."""
    square = (x**2).sum(1, keepdims=True)
    size = np.sqrt(square + 1e-12)
    return square / (1 + square) / size * x, (x, square, size)


def squash_backward(dy, cache):
    x, square, size = cache
    slope = 1 / (1 + square) ** 2 / size - square / (1 + square) / (2 * size**3)
    return square / (1 + square) / size * dy + 2 * x * slope * (dy * x).sum(1, keepdims=True)


def squared_relu(x, weight):
    return np.maximum(x @ weight, 0) ** 2, (x, weight)


def squared_relu_backward(dy, cache):
    x, weight = cache
    da = 2 * dy * np.maximum(x @ weight, 0)
    return da @ weight.T, x.T @ da


def cubed(epsilon):
    def backward(dy, x):
        size = np.sqrt(x**2 + epsilon)
        return dy * (3 * x**2 / size - x**4 / size**3)

    return lambda x: (x**3 / np.sqrt(x**2 + epsilon), x), backward, (points,)


def of(forward, derivative):
    return lambda x: (forward(x), x), lambda dy, x: dy * derivative(x), (points,)


RIGHT = {
    "squared relu": of(lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
    "relu to the power of 1.5": of(lambda x: np.maximum(x, 0) ** 1.5, lambda x: 1.5 * np.maximum(x, 0) ** 0.5),
    "x |x|": of(lambda x: x * abs(x), lambda x: 2 * abs(x)),
    "x clip": of(lambda x: x * np.clip(x, 0, 1), lambda x: np.clip(x, 0, 1) + x * ((x > 0) & (x < 1))),
    "two parabolas": of(lambda x: np.where(x > 0, 1, 3) * x**2, lambda x: np.where(x > 0, 2, 6) * x),
    "exp(x) - 1 - x": of(lambda x: np.exp(x) - 1 - x, lambda x: np.exp(x) - 1),
    "|x|**3 / |x|, epsilon of 1e-12": cubed(1e-12),
    "|x|**3 / |x|, epsilon of 1e-8": cubed(1e-8),
    "squash": (squash, squash_backward, (padded,)),
    "squared relu of padding": (squared_relu, squared_relu_backward, (padded, normal((4, 5)))),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", RIGHT)
def test_a_slope_that_shrinks_with_the_step_is_zero(name, mode, seed):
    report = gradcheck(*RIGHT[name], mode=mode, seed=seed)
    assert report.ok and not report.findings, report


OF_FIRST_ORDER = ("squared relu", "x |x|", "two parabolas")
FORGOTTEN = [(name, slope) for name in OF_FIRST_ORDER for slope in (1e-2, 1e-4, 1e-6, 2e-8)]
FORGOTTEN += [("relu to the power of 1.5", slope) for slope in (1e-2, 1e-4)]  # at a step of 1e-8, it still has 1e-4


@pytest.mark.parametrize("name, missing", FORGOTTEN)
def test_a_slope_that_shrinks_to_anything_else_is_not_zero(name, missing):
    """A term is forgotten whose slope, at x = 0, is that of the finest step or more, and which shows nowhere else."""
    forward, backward, args = RIGHT[name]

    def with_a_term(x):
        y, cache = forward(x)
        return y + missing * np.where(abs(x) < 0.1, x, 0), cache

    for seed in range(3):
        report = gradcheck(with_a_term, backward, args, seed=seed)
        assert kinds(report) == ["wrong"] and report.findings[0].index == (0,), report


@pytest.mark.parametrize("forgotten", [lambda x: 1e-10 * x, lambda x: 1e-10 * np.sin(x), lambda x: 1e-10 * x + x**3])
def test_a_small_slope_is_not_zero(forgotten):
    report = gradcheck(lambda x: (forgotten(x), x), lambda dy, x: dy * 3 * x**2, (np.array([0.0, 0.0, 0.0]),))
    assert kinds(report) == ["wrong"], report


@pytest.mark.parametrize("at_zero", [1.0, -1.0, 1e-3, 1e-7])
def test_zero_is_the_only_gradient_there(at_zero):
    def backward(dy, x):
        return dy * np.where(x == 0, at_zero, 2 * np.maximum(x, 0))

    assert kinds(gradcheck(lambda x: (np.maximum(x, 0) ** 2, x), backward, (points,))) == ["wrong"]
