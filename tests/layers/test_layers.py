"""Every layer: its adjoint, and the contract (fresh arrays, kept dtype)."""

import copy

import numpy as np
import pytest

import minunet as m
from minunet.layers import conv2d_relu_backward, conv2d_relu_forward

SEEDS = range(5)
pytestmark = pytest.mark.usefixtures("device")  # each test runs on the CPU and on CuPy


def draw(rng, *shape):
    return rng.standard_normal(shape)


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


# <A x, y> = <x, A' y>: the backward pass of a linear layer is its adjoint.


def conv2d_arguments(rng):
    return draw(rng, 2, 3, 6, 5), draw(rng, 4, 3, 3, 2), np.zeros(4)


def up_conv_arguments(rng):
    return draw(rng, 2, 3, 4, 5), draw(rng, 3, 4, 2, 2), np.zeros(4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["conv2d", "up_conv"])
def test_convolutions_are_adjoint_in_x_and_in_weight(name, seed):
    forward, backward, arguments = pairs()[name]
    rng = np.random.default_rng(seed)
    x, weight, no_bias = arguments(rng)
    y, cache = forward(x, weight, no_bias)
    dy = draw(rng, *y.shape)
    dx, dweight, _ = backward(dy, cache)
    assert np.vdot(x, dx) == pytest.approx(np.vdot(y, dy), rel=1e-11)
    assert np.vdot(weight, dweight) == pytest.approx(np.vdot(y, dy), rel=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_crop_concat_is_adjoint(seed):
    rng = np.random.default_rng(seed)
    skip, x = draw(rng, 2, 3, 9, 8), draw(rng, 2, 4, 4, 6)
    y, cache = m.crop_concat_forward(skip, x)
    dy = draw(rng, *y.shape)
    dskip, dx = m.crop_concat_backward(dy, cache)
    assert np.vdot(skip, dskip) + np.vdot(x, dx) == pytest.approx(np.vdot(y, dy), rel=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_dropout_with_a_fixed_mask_is_adjoint(seed):
    rng = np.random.default_rng(seed)
    x, dy = draw(rng, 2, 3, 4, 5), draw(rng, 2, 3, 4, 5)
    y, cache = m.dropout_forward(x, 0.4, rng)
    assert np.vdot(x, m.dropout_backward(dy, cache)) == pytest.approx(np.vdot(y, dy), rel=1e-11)


# The contract: fresh arrays, nothing changed, dtype kept.


def loss_arguments(rng):
    return draw(rng, 2, 3, 4, 5), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))


def draw_images(rng):
    return (draw(rng, 2, 3, 4, 6),)


def pairs():
    """Return {name: (forward, backward, arguments)}, looked up now: the fixture `device` replaces the passes."""
    return {
        "conv2d": (m.conv2d_forward, m.conv2d_backward, conv2d_arguments),
        "conv2d_1x1": (
            m.conv2d_forward,
            m.conv2d_backward,
            lambda rng: (draw(rng, 1, 1, 4, 6), np.ones((1, 1, 1, 1)), np.zeros(1)),
        ),
        "conv2d_relu": (conv2d_relu_forward, conv2d_relu_backward, conv2d_arguments),
        "relu": (m.relu_forward, m.relu_backward, draw_images),
        "relu_positive": (m.relu_forward, m.relu_backward, lambda rng: (rng.random((2, 3, 4, 6)),)),
        "max_pool": (m.max_pool_forward, m.max_pool_backward, draw_images),
        "up_conv": (m.up_conv_forward, m.up_conv_backward, up_conv_arguments),
        "crop_concat": (
            m.crop_concat_forward,
            m.crop_concat_backward,
            lambda rng: (draw(rng, 2, 3, 6, 5), draw(rng, 2, 1, 4, 5)),
        ),
        "dropout": (lambda x: m.dropout_forward(x, 0.3, np.random.default_rng(5)), m.dropout_backward, draw_images),
        "dropout_0": (lambda x: m.dropout_forward(x, 0.0, np.random.default_rng(5)), m.dropout_backward, draw_images),
        "loss": (m.softmax_cross_entropy_forward, m.softmax_cross_entropy_backward, loss_arguments),
    }


@pytest.fixture(params=list(pairs()))
def pair(request, device):
    """Return the passes of each layer, on the CPU and on CuPy, and a function that draws their arguments."""
    return pairs()[request.param]


Y_IS_THE_CACHE = {"relu_forward", "conv2d_relu_forward"}  # names, since `device` replaces the functions


def arrays(tree):
    return [leaf for leaf in m.flatten(tree).values() if isinstance(leaf, np.ndarray)]


def test_outputs_are_fresh_arrays(pair):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    arguments = arguments(rng)
    y, cache = forward(*arguments)
    dy = np.array(draw(rng, *y.shape))
    gradients = as_tuple(backward(dy, cache))
    assert not any(np.shares_memory(y, array) for array in [*arguments, dy])
    if forward.__name__ not in Y_IS_THE_CACHE:
        assert not any(np.shares_memory(y, array) for array in arrays(cache))
    for number, gradient in enumerate(gradients):
        others = [*arguments, dy, y, *arrays(cache), *gradients[:number]]
        assert not any(np.shares_memory(gradient, other) for other in others)


def test_inputs_dy_and_cache_are_unchanged(pair):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    arguments = arguments(rng)
    arguments_before = copy.deepcopy(arguments)
    y, cache = forward(*arguments)
    dy = np.array(draw(rng, *y.shape))
    dy_before, cache_before = copy.deepcopy((dy, cache))
    first = as_tuple(backward(dy, cache))
    second = as_tuple(backward(dy, cache))
    np.testing.assert_equal((arguments, dy, cache), (arguments_before, dy_before, cache_before))
    np.testing.assert_equal(first, second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(pair, dtype):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    y, cache = forward(*[a.astype(dtype) if a.dtype.kind == "f" else a for a in arguments(rng)])
    gradients = as_tuple(backward(np.array(draw(rng, *y.shape), dtype), cache))
    assert [array.dtype for array in (y, *gradients)] == [dtype] * (1 + len(gradients))
