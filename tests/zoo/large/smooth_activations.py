"""Smooth activations that go element by element. Each backward pass is dy times a slope."""

import numpy as np
from scipy.special import erf, expit

from zoo.large.layer import Layer, Wrong

normal = np.random.default_rng(31).standard_normal
x = 2 * normal((3, 7))
TANH_SCALE = np.sqrt(2 / np.pi)


def density(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def gelu_forward(x):
    below = (1 + erf(x / np.sqrt(2))) / 2
    return x * below, (x, below)


def gelu_backward(dy, cache):
    x, below = cache
    return dy * (below + x * density(x))


def gelu_tanh_forward(x):
    t = np.tanh(TANH_SCALE * (x + 0.044715 * x**3))
    return x * (1 + t) / 2, (x, t)


def gelu_tanh_backward(dy, cache, power=3):
    x, t = cache
    inner = TANH_SCALE * (1 + power * 0.044715 * x * x)
    return dy * ((1 + t) / 2 + x / 2 * (1 - t * t) * inner)


def gelu_of_the_approximation(dy, cache):
    return gelu_tanh_backward(dy, gelu_tanh_forward(cache[0])[1])


gelu = Layer(
    "gelu",
    gelu_forward,
    gelu_backward,
    (x,),
    {
        "forgets x times the density": Wrong("x", lambda dy, cache: dy * cache[1]),
        "takes the slope of the tanh approximation": Wrong("x", gelu_of_the_approximation),
        "adds the density without x": Wrong("x", lambda dy, cache: dy * (cache[1] + density(cache[0]))),
    },
)

gelu_tanh = Layer(
    "gelu by tanh",
    gelu_tanh_forward,
    gelu_tanh_backward,
    (x,),
    {
        "forgets the 3 of the cube": Wrong("x", lambda dy, cache: gelu_tanh_backward(dy, cache, power=1)),
        "takes the exact slope": Wrong("x", lambda dy, cache: gelu_backward(dy, gelu_forward(cache[0])[1])),
        "forgets the tanh's slope": Wrong("x", lambda dy, cache: dy * (1 + cache[1]) / 2),
    },
)


def silu_forward(x):
    return x * expit(x), (x, expit(x))


def silu_backward(dy, cache):
    x, gate = cache
    return dy * (gate + x * gate * (1 - gate))


silu = Layer(
    "silu",
    silu_forward,
    silu_backward,
    (x,),
    {
        "takes the gate for a constant": Wrong("x", lambda dy, cache: dy * cache[1]),
        "takes the slope of a sigmoid": Wrong("x", lambda dy, cache: dy * cache[1] * (1 - cache[1])),
        "clips dy to 1": Wrong("x", lambda dy, cache: silu_backward(np.clip(dy, -1, 1), cache)),
    },
)


def softplus_forward(x):
    return np.logaddexp(0, x), x


def softplus_backward(dy, x):
    return dy * expit(x)


softplus = Layer(
    "softplus",
    softplus_forward,
    softplus_backward,
    (x,),
    {
        "has the sign of x wrong": Wrong("x", lambda dy, x: dy * expit(-x)),
        "takes the sigmoid's own slope": Wrong("x", lambda dy, x: dy * expit(x) * expit(-x)),
        "evaluates the sigmoid at y": Wrong("x", lambda dy, x: dy * expit(np.logaddexp(0, x))),
    },
)


def mish_forward(x):
    t = np.tanh(np.logaddexp(0, x))
    return x * t, (x, t)


def mish_backward(dy, cache):
    x, t = cache
    return dy * (t + x * (1 - t * t) * expit(x))


mish = Layer(
    "mish",
    mish_forward,
    mish_backward,
    (x,),
    {
        "forgets the sigmoid": Wrong("x", lambda dy, cache: dy * (cache[1] + cache[0] * (1 - cache[1] ** 2))),
        "forgets the second term": Wrong("x", lambda dy, cache: dy * cache[1]),
        "squares no tanh": Wrong("x", lambda dy, cache: dy * (cache[1] + cache[0] * (1 - cache[1]) * expit(cache[0]))),
    },
)


def tanh_forward(x):
    return np.tanh(x), np.tanh(x)


def tanh_backward(dy, y):
    return dy * (1 - y * y)


tanh = Layer(
    "tanh",
    tanh_forward,
    tanh_backward,
    (x / 2,),
    {
        "forgets the square": Wrong("x", lambda dy, y: dy * (1 - y)),
        "applies tanh once more": Wrong("x", lambda dy, y: dy * (1 - np.tanh(y) ** 2)),
        "overwrites dy": Wrong("dy", lambda dy, y: np.multiply(dy, 1 - y * y, out=dy), "mutated"),
    },
)


def sigmoid_forward(x):
    return expit(x), expit(x)


def sigmoid_backward(dy, y):
    return dy * y * (1 - y)


sigmoid = Layer(
    "sigmoid",
    sigmoid_forward,
    sigmoid_backward,
    (x,),
    {
        "applies the sigmoid once more": Wrong("x", lambda dy, y: dy * expit(y) * (1 - expit(y))),
        "forgets 1 - y": Wrong("x", lambda dy, y: dy * y),
        "forgets y": Wrong("x", lambda dy, y: dy * (1 - y)),
    },
)

LAYERS = (gelu, gelu_tanh, silu, softplus, mish, tanh, sigmoid)
