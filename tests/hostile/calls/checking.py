"""Right calls of the gradient checks."""

import numpy as np

from hostile.arrays import in_place_of_floats
from hostile.judge import Call
from hostile.values import (
    NOTHING,
    in_place_of_count,
    in_place_of_function,
    in_place_of_generator,
    in_place_of_number,
    in_place_of_word,
    without_none,
)
from hostile.variant import Variant
from minunet import assert_gradients, check_adjoint, check_second_order, gradcheck

RNG = np.random.default_rng(6)
X, FACTOR = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2))


def scale_forward(x, factor):
    """Return factor * x; any two arrays of one shape."""
    return x * factor, (x, factor)


def scale_backward(dy, cache):
    x, factor = cache
    return dy * factor, dy * x


def scale_hvp(dy, cache, direction):
    """Return the derivative of (dy * factor, dy * x) along a direction of (x, factor)."""
    dx, dfactor = direction
    return dy * dfactor, dy * dx


def in_place_of_args(right):
    """Return arguments of which the first is another; what means nothing may also be passed through and reported."""
    found = []
    for v in in_place_of_floats(right[0]):
        means = (v.means, right[1]) if isinstance(v.means, np.ndarray) else v.means
        found.append(Variant(f"x is {v.label}", (v.value, right[1]), means, v.is_extreme))
    return [*found, *NOTHING, Variant("the array itself", right[0])]


def maybe_none(kind):
    return lambda right: without_none(kind(right))


def checks() -> list[Call]:
    pair = {"forward": scale_forward, "backward": scale_backward, "args": (X, FACTOR)}
    functions = {"forward": in_place_of_function, "backward": in_place_of_function}
    options = {"dy": RNG.standard_normal(X.shape), "mode": "auto", "directions": 2, "seed": 0, "constant": ()}
    numbers = {"tolerance": 1e-6, "step": 1e-6}
    kinds = {
        "dy": maybe_none(in_place_of_floats),
        "mode": in_place_of_word,
        "directions": in_place_of_count,
        "seed": maybe_none(in_place_of_count),
        "tolerance": maybe_none(in_place_of_number),
        "step": in_place_of_number,
        "constant": lambda right: [v for v in NOTHING if v.label not in ("list", "dict", "None")],
    }
    words = {"args": "argument|args|x", "forward": "forward|y", "backward": "backward|gradients?"}
    second = {**pair, "hvp": scale_hvp}
    return [
        Call("gradcheck", gradcheck, {**pair, **options, **numbers}, {**functions, "args": in_place_of_args, **kinds},
             words=words),
        Call("gradcheck (rng)", gradcheck, {**pair, "rng": np.random.default_rng(0)},
             {"rng": maybe_none(in_place_of_generator)}),
        Call("assert_gradients", assert_gradients, {**pair, "seed": 0}, {**functions, "args": in_place_of_args},
             words=words),
        Call("check_adjoint", check_adjoint, {**pair, "argument": "x", "dy": RNG.standard_normal(X.shape)},
             {**functions, "args": in_place_of_args, "argument": maybe_none(in_place_of_word),
              "dy": maybe_none(in_place_of_floats)}, words=words),
        Call("check_second_order", check_second_order, second, {**functions, "hvp": in_place_of_function}, words=words),
    ]  # fmt: skip


CALLS = checks()
