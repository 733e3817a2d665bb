"""Activations made of pieces. The arguments keep clear of the kinks between them."""

import numpy as np

from zoo.large.layer import Layer, Wrong, away_from, scaled

normal = np.random.default_rng(31).standard_normal
x = away_from(2 * normal((3, 7)), 0, -3, 3)
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # SELU's two constants
LEAK = 0.2
ELU_ALPHA = 1.5


def elu_forward(x):
    y = np.where(x > 0, x, ELU_ALPHA * np.expm1(np.minimum(x, 0)))
    return y, y


def elu_backward(dy, y):
    return dy * np.where(y > 0, 1, y + ELU_ALPHA)


elu = Layer(
    "elu",
    elu_forward,
    elu_backward,
    (x,),
    {
        "forgets to add alpha": Wrong("x", lambda dy, y: dy * np.where(y > 0, 1, y), region=x < 0),
        "takes alpha for 1": Wrong("x", lambda dy, y: dy * np.where(y > 0, 1, y + 1), region=x < 0),
        "lets positive dy alone through": Wrong("x", lambda dy, y: elu_backward(np.maximum(dy, 0), y)),
    },
)


def selu_forward(x):
    y = SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))
    return y, y


def selu_backward(dy, y):
    return dy * np.where(y > 0, SCALE, y + SCALE * ALPHA)


selu = Layer(
    "selu",
    selu_forward,
    selu_backward,
    (x,),
    {
        "forgets the scale where x is positive": Wrong(
            "x", lambda dy, y: dy * np.where(y > 0, 1, y + SCALE * ALPHA), region=x > 0
        ),
        "forgets the scale of alpha": Wrong("x", lambda dy, y: dy * np.where(y > 0, SCALE, y + ALPHA), region=x < 0),
        "rounds the scale to 1.05": Wrong("x", scaled(selu_backward, 1.05 / SCALE)),
    },
)


def leaky_relu_forward(x):
    return np.where(x > 0, x, LEAK * x), x > 0


def leaky_relu_backward(dy, positive):
    return dy * np.where(positive, 1, LEAK)


leaky_relu = Layer(
    "leaky relu",
    leaky_relu_forward,
    leaky_relu_backward,
    (x,),
    {
        "leaks on the wrong side": Wrong("x", lambda dy, positive: dy * np.where(positive, LEAK, 1)),
        "does not leak": Wrong("x", lambda dy, positive: dy * positive, region=x < 0),
        "leaks twice": Wrong("x", lambda dy, positive: dy * np.where(positive, 1, LEAK**2), region=x < 0),
        "gates by the sign of dy": Wrong("x", lambda dy, positive: dy * np.where(positive & (dy > 0), 1, LEAK)),
    },
)


def prelu_forward(x, slope):
    return np.where(x > 0, x, slope[:, None] * x), (x, slope)


def prelu_backward(dy, cache):
    x, slope = cache
    return dy * np.where(x > 0, 1, slope[:, None]), (dy * np.minimum(x, 0)).sum(axis=(0, 2))


def prelu_of_positive_x_too(dy, cache):
    return prelu_backward(dy, cache)[0], (dy * cache[0]).sum(axis=(0, 2))


def prelu_of_the_first_channel(dy, cache):
    x, slope = cache
    return dy * np.where(x > 0, 1, slope[0]), prelu_backward(dy, cache)[1]


def prelu_with_one_slope(dy, cache):
    dx, dslope = prelu_backward(dy, cache)
    return dx, dslope.sum()


prelu = Layer(
    "prelu",
    prelu_forward,
    prelu_backward,
    (away_from(normal((2, 3, 4)), 0), 0.2 + 0.1 * normal(3)),
    {
        "counts positive x in dslope": Wrong("slope", prelu_of_positive_x_too),
        "takes the first channel's slope for all": Wrong("x", prelu_of_the_first_channel, region=np.s_[:, 1:]),
        "sums dslope over the channels too": Wrong("slope", prelu_with_one_slope, "shape"),
    },
)


def hardswish_forward(x):
    return x * np.clip(x + 3, 0, 6) / 6, x


def hardswish_backward(dy, x):
    return dy * np.where(x > 3, 1, np.where(x > -3, (2 * x + 3) / 6, 0))


hardswish = Layer(
    "hardswish",
    hardswish_forward,
    hardswish_backward,
    (x,),
    {
        "takes the gate for a constant": Wrong("x", lambda dy, x: dy * np.clip(x + 3, 0, 6) / 6),
        "forgets to saturate above 3": Wrong(
            "x", lambda dy, x: dy * np.where(x > -3, (2 * x + 3) / 6, 0), region=x > 3
        ),
        "lets values below -3 through": Wrong(
            "x", lambda dy, x: dy * np.where(x > 3, 1, (2 * x + 3) / 6), region=x < -3
        ),
    },
)

LAYERS = (elu, selu, leaky_relu, prelu, hardswish)
