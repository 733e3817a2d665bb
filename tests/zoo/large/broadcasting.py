"""Arithmetic that broadcasts: what was repeated forward is summed backward."""

import numpy as np

from zoo.large.layer import Layer, Wrong, away_from, changed, scaled

normal = np.random.default_rng(42).standard_normal


def add_forward(x, bias):
    return x + bias, None


def add_backward(dy, cache):
    return dy.copy(), dy.sum(axis=(0, 2))[:, None]


add = Layer(
    "broadcast sum",
    add_forward,
    add_backward,
    (normal((2, 3, 4)), normal((3, 1))),
    {
        "does not reduce dbias": Wrong("bias", lambda dy, cache: (dy.copy(), dy.copy()), "shape"),
        "forgets the batch in dbias": Wrong("bias", lambda dy, cache: (dy.copy(), dy[0].sum(axis=1)[:, None])),
        "averages dbias": Wrong("bias", lambda dy, cache: (dy.copy(), dy.mean(axis=(0, 2))[:, None])),
    },
)


def multiply_forward(x, scale):
    return x * scale, (x, scale)


def multiply_backward(dy, cache):
    x, scale = cache
    return dy * scale, (dy * x).sum(axis=0, keepdims=True)


multiply = Layer(
    "broadcast product",
    multiply_forward,
    multiply_backward,
    (normal((3, 4)), normal((1, 4))),
    {
        "reduces before multiplying": Wrong("scale", lambda dy, c: (dy * c[1], dy.sum(0, keepdims=True) * c[0].sum(0))),
        "forgets x in dscale": Wrong("scale", lambda dy, c: (dy * c[1], dy.sum(axis=0, keepdims=True))),
        "forgets scale in dx": Wrong("x", lambda dy, c: (dy.copy(), (dy * c[0]).sum(axis=0, keepdims=True))),
        "keeps the last row of dscale": Wrong("scale", lambda dy, c: (dy * c[1], (dy * c[0])[-1:])),
    },
)


def divide_forward(a, b):
    return a / b, (a, b)


def divide_backward(dy, cache):
    a, b = cache
    return dy / b, (-dy * a / b**2).sum(axis=-1, keepdims=True)


divide = Layer(
    "broadcast quotient",
    divide_forward,
    divide_backward,
    (normal((2, 4)), 2 + normal((2, 1)) ** 2),
    {
        "forgets the square": Wrong("b", lambda dy, c: (dy / c[1], (-dy * c[0] / c[1]).sum(axis=-1, keepdims=True))),
        "forgets the minus": Wrong("b", scaled(divide_backward, -1, 1)),
        "multiplies": Wrong("a", lambda dy, c: (dy * c[1], divide_backward(dy, c)[1])),
    },
)


def power_forward(x, exponent):
    return x**exponent, (x, exponent, x**exponent)


def power_backward(dy, cache):
    x, exponent, y = cache
    return dy * exponent * y / x, (dy * y * np.log(x)).sum(axis=0)


def power_without_reducing_the_exponent(dy, cache):
    return dy * cache[1] * cache[2], power_backward(dy, cache)[1]


power = Layer(
    "power",
    power_forward,
    power_backward,
    (1 + normal((3, 4)) ** 2, normal(4)),
    {
        "does not lower the exponent": Wrong("x", power_without_reducing_the_exponent),
        "forgets the logarithm": Wrong("exponent", lambda dy, c: (power_backward(dy, c)[0], (dy * c[2]).sum(axis=0))),
        "takes the exponent for constant": Wrong("exponent", changed(power_backward, np.zeros_like, 1)),
    },
)


def maximum_forward(a, b):
    return np.maximum(a, b), a > b


def maximum_backward(dy, first):
    return (dy * first), (dy * ~first).sum(axis=0)


clear = away_from(normal((3, 4)), 0, by=0.2)
maximum = Layer(
    "maximum with broadcasting",
    maximum_forward,
    maximum_backward,
    (clear, 0.1 * normal(4) / 4),
    {
        "gives dy to both": Wrong("b", lambda dy, first: (dy * first, dy.sum(axis=0))),
        "takes the minimum": Wrong("a", lambda dy, first: maximum_backward(dy, ~first)),
        "shares dy equally": Wrong("a", lambda dy, first: (dy / 2, dy.sum(axis=0) / 2)),
    },
)

LAYERS = (add, multiply, divide, power, maximum)
