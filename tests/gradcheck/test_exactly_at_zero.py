"""Exactly at 0: a derivative of 0, to which slopes come only as fast as the step shrinks, and one of 1e12 close by."""

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


def normalised(epsilon):
    """Return x / max(|x|, epsilon) of each row, as a pair."""

    def forward(x):
        size = np.sqrt((x**2).sum(1, keepdims=True))
        large = np.maximum(size, epsilon)
        return x / large, (x / large, size, large)

    def backward(dy, cache):
        y, size, large = cache
        return (dy - y * (dy * y).sum(1, keepdims=True) * (size > epsilon)) / large

    return forward, backward


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("epsilon", [1e-8, 1e-12])
def test_a_row_of_zeros_is_normalised_at_a_step_below_epsilon(epsilon, seed):
    forward, backward = normalised(epsilon)
    report = gradcheck(forward, backward, (padded,), seed=seed)
    assert report.ok and not report.findings and report.rows[0].compared == padded.size, report

    for factor in (0, 0.5, 1.01):
        report = gradcheck(
            forward, lambda dy, c, k=factor: backward(dy, c) * np.where(c[1] > 0, 1, k), (padded,), seed=seed
        )
        assert kinds(report) == ["wrong"] and report.findings[0].count == 8, report


STEEP = {
    "cubic": lambda x, scale: x + x**3 / scale**2,
    "x |x|": lambda x, scale: x + x * abs(x) / scale,
    "power of 1.5": lambda x, scale: x + np.sign(x) * abs(x) ** 1.5 / scale**0.5,
    "tanh": lambda x, scale: scale * np.tanh(x / scale),
}


@pytest.mark.parametrize("scale", [1e-12, 1e-10, 3e-8])
@pytest.mark.parametrize("name", STEEP)
def test_slopes_that_pass_by_a_wrong_gradient_do_not_come_to_it(name, scale):
    """They do so where a function bends within a step, and there by a power of the step, too."""

    def forward(x):
        return np.array([STEEP[name](x[0], scale), x[1] ** 2]), x

    for factor in (0.5, 0.9, 1.001, 1.1, 2.0):
        report = gradcheck(forward, lambda dy, x, k=factor: dy * [k, 2 * x[1]], (np.array([0.0, 2.0]),))
        assert kinds(report) == ["wrong"] and report.findings[0].index == (0,), report
