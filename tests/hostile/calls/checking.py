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
from hostile.variant import ITSELF, Variant
from minunet import assert_gradients, check_adjoint, check_second_order, gradcheck

RNG = np.random.default_rng(6)
X, FACTOR = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2))


class OwnError(Exception):
    """What a pair of the caller's raises if it cannot work with its arguments."""


def scale_forward(x, factor):
    """Return factor * x; any two arrays of one shape."""
    try:
        return x * factor, (x, factor)
    except (TypeError, ValueError) as error:
        raise OwnError from error


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
        means = ITSELF if v.label in ("number", "durations") else v.means  # the pair can multiply by them
        means = (means, right[1]) if isinstance(means, np.ndarray) else means
        found.append(Variant(f"x is {v.label}", (v.value, right[1]), means, v.is_extreme))
    return [*found, *NOTHING, Variant("the array itself", right[0])]


def in_place_of_backward(right):
    """Return what is no backward pass; one that returns no gradient is a finding of the check, not an error."""
    return [v for v in in_place_of_function(right) if v.label != "returns None"]


def in_place_of_argument(right):
    """Return what is no name of an argument; "x" is one, and None leaves it out."""
    return [v for v in in_place_of_word(right) if v.label not in ("string", "None")]


def maybe_none(kind):
    return lambda right: without_none(kind(right))


def checks() -> list[Call]:
    pair = {"forward": scale_forward, "backward": scale_backward, "args": (X, FACTOR)}
    functions = {"forward": in_place_of_function, "backward": in_place_of_backward}
    options = {"dy": RNG.standard_normal(X.shape), "mode": "auto", "directions": 2, "seed": 0, "constant": ()}
    numbers = {"tolerance": 1e-6, "step": 1e-6}
    kinds = {
        "dy": maybe_none(in_place_of_floats),
        "mode": in_place_of_word,
        "directions": in_place_of_count,
        "seed": maybe_none(in_place_of_count),
        "tolerance": maybe_none(in_place_of_number),
        "step": in_place_of_number,
        "constant": lambda right: [v for v in NOTHING if v.label not in ("string", "list", "dict", "None")],
    }
    words = {"args": "argument|args|x|dy", "forward": "forward|y", "backward": "backward|gradients?"}
    second = {**pair, "hvp": scale_hvp}
    return [
        Call("gradcheck", gradcheck, {**pair, **options, **numbers}, {**functions, "args": in_place_of_args, **kinds},
             words=words, own_errors=(OwnError,), is_finite=False),
        Call("gradcheck (rng)", gradcheck, {**pair, "rng": np.random.default_rng(0)},
             {"rng": maybe_none(in_place_of_generator)}),
        Call("assert_gradients", assert_gradients, {**pair, "seed": 0}, {**functions, "args": in_place_of_args},
             words=words, own_errors=(OwnError, AssertionError), is_finite=False),
        Call("check_adjoint", check_adjoint, {**pair, "argument": "x", "dy": RNG.standard_normal(X.shape)},
             {**functions, "args": in_place_of_args, "argument": in_place_of_argument,
              "dy": maybe_none(in_place_of_floats)}, words=words,
             own_errors=(OwnError,), is_finite=False),
        Call("check_second_order", check_second_order, second, {**functions, "hvp": in_place_of_backward}, words=words),
    ]  # fmt: skip


CALLS = checks()
