"""What a layer's backward pass says of a gradient that its forward pass cannot have had."""

import numpy as np
import pytest
from refusal import assert_refused

import minunet as m


def ones(*shape, dtype=np.float64):
    return np.ones(shape, dtype)


def wrong_dy(pair, *arguments):
    """Give the backward pass a dy with one axis too many."""
    forward, backward = getattr(m, f"{pair}_forward"), getattr(m, f"{pair}_backward")
    y, cache = forward(*arguments)
    return lambda: backward(ones(*y.shape, 7), cache)


X, WEIGHT, BIAS, UP_WEIGHT = ones(2, 3, 6, 8), ones(5, 3, 3, 3), ones(5), ones(3, 5, 2, 2)
LABELS = np.zeros((2, 4, 5), int)
RNG = np.random.default_rng(0)

DY = "dy must have the shape of the forward output, "
BACKWARD = {
    "conv2d": (wrong_dy("conv2d", X, WEIGHT, BIAS), DY + "(2, 5, 4, 6), got (2, 5, 4, 6, 7); pass one gradient per"),
    "relu": (wrong_dy("relu", X), DY + "(2, 3, 6, 8), got (2, 3, 6, 8, 7); pass one gradient per output element"),
    "max_pool": (wrong_dy("max_pool", X), DY + "(2, 3, 3, 4), got (2, 3, 3, 4, 7)"),
    "up_conv": (wrong_dy("up_conv", X, UP_WEIGHT, BIAS), DY + "(2, 5, 12, 16), got (2, 5, 12, 16, 7)"),
    "crop_concat": (wrong_dy("crop_concat", ones(2, 4, 9, 9), X), DY + "(2, 7, 6, 8), got (2, 7, 6, 8, 7)"),
    "dropout": (wrong_dy("dropout", X, 0.5, RNG), DY + "(2, 3, 6, 8), got (2, 3, 6, 8, 7)"),
    "loss": (
        wrong_dy("softmax_cross_entropy", ones(2, 3, 4, 5), LABELS),
        "dloss must be one number, got float64 of shape (7,)",
    ),
    "not an array": (
        lambda: m.relu_backward(1.0, m.relu_forward(X)[1]),
        "dy must be an array, got float; convert it with np.asarray",
    ),
    "integers": (
        lambda: m.relu_backward(np.zeros(X.shape, np.int64), m.relu_forward(X)[1]),
        "dy must hold floating-point numbers, got int64; convert it with .astype('float32')",
    ),
}


@pytest.mark.parametrize("call, message", BACKWARD.values(), ids=BACKWARD)
def test_a_backward_pass_says_which_gradient_it_expected(call, message):
    assert_refused(call, message)
