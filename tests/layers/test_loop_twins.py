"""Every layer equals its loop twin, forward and backward."""

import numpy as np
import pytest

import minunet as m
from minunet.layers import conv2d_relu_backward, conv2d_relu_forward, naive

SEEDS = range(3)


@pytest.fixture(params=SEEDS)
def rng(request):
    return np.random.default_rng(request.param)


def sizes(rng, count):
    """Return so many small sizes, so that most of them differ."""
    return rng.permutation([1, 2, 3, 4, 5, 6])[:count]


def assert_equal(results, expected):
    for result, loops in zip(results, expected, strict=True):
        assert (result.shape, result.dtype) == (loops.shape, loops.dtype)
        np.testing.assert_allclose(result, loops, rtol=0, atol=1e-13)


def test_every_layer_has_a_twin():
    layers = {name.removesuffix("_forward") for name in vars(m) if name.endswith("_forward")} - {"unet"}
    twins = {name for name in vars(naive) if name in layers}
    assert layers == twins and len(twins) == 8


def test_conv2d(rng):
    N, C, F, KH, KW = sizes(rng, 5)
    x = rng.standard_normal((N, C, KH + rng.integers(0, 4), KW + rng.integers(0, 5)))
    weight, bias = rng.standard_normal((F, C, KH, KW)), rng.standard_normal(F)
    y, cache = m.conv2d_forward(x, weight, bias)
    assert_equal([y], [naive.conv2d(x, weight, bias)])
    dy = rng.standard_normal(y.shape)
    assert_equal(m.conv2d_backward(dy, cache), naive.conv2d_gradients(dy, x, weight))


def test_conv2d_relu_is_conv2d_then_relu(rng):
    x, weight, bias = (rng.standard_normal(shape) for shape in ((2, 3, 6, 5), (4, 3, 3, 2), (4,)))
    y, cache = conv2d_relu_forward(x, weight, bias)
    before_relu = naive.conv2d(x, weight, bias)
    assert_equal([y], [naive.relu(before_relu)])
    assert cache[1].y is y
    assert 0 < (y == 0).mean() < 1
    dy = rng.standard_normal(y.shape)
    expected = naive.conv2d_gradients(naive.relu_gradient(dy, before_relu), x, weight)
    assert_equal(conv2d_relu_backward(dy, cache), expected)
    dx, *without_dx = conv2d_relu_backward(dy, cache, with_dx=False)
    assert dx is None
    assert_equal(without_dx, expected[1:])


def test_relu(rng):
    x = rng.integers(-2, 3, (2, 3, 4, 5)).astype(float)  # with zeros
    y, cache = m.relu_forward(x)
    assert_equal([y], [naive.relu(x)])
    assert cache.y is y  # by the contract, of this layer alone
    dy = rng.standard_normal(y.shape)
    assert_equal([m.relu_backward(dy, cache)], [naive.relu_gradient(dy, x)])


def test_max_pool_with_ties(rng):
    N, C, OH, OW = sizes(rng, 4)
    x = rng.integers(-1, 2, (N, C, 2 * OH, 2 * OW)).astype(float)
    y, cache = m.max_pool_forward(x)
    assert_equal([y], [naive.max_pool(x)])
    dy = rng.standard_normal(y.shape)
    assert_equal([m.max_pool_backward(dy, cache)], [naive.max_pool_gradient(dy, x)])


def test_up_conv(rng):
    N, C, F, H, W = sizes(rng, 5)
    x, weight, bias = (rng.standard_normal(shape) for shape in ((N, C, H, W), (C, F, 2, 2), (F,)))
    y, cache = m.up_conv_forward(x, weight, bias)
    assert_equal([y], [naive.up_conv(x, weight, bias)])
    dy = rng.standard_normal(y.shape)
    assert_equal(m.up_conv_backward(dy, cache), naive.up_conv_gradients(dy, x, weight))


def test_crop_concat(rng):
    N, S, C, H, W = sizes(rng, 5)
    skip = rng.standard_normal((N, S, H + rng.integers(0, 5), W + rng.integers(1, 6)))  # odd differences, too
    x = rng.standard_normal((N, C, H, W))
    y, cache = m.crop_concat_forward(skip, x)
    assert_equal([y], [naive.crop_concat(skip, x)])
    dy = rng.standard_normal(y.shape)
    assert_equal(m.crop_concat_backward(dy, cache), naive.crop_concat_gradients(dy, skip, x))


def test_dropout_given_its_mask(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    y, cache = m.dropout_forward(x, 0.3, rng)
    assert_equal([y], [naive.dropout(x, cache.keep, 0.3)])
    assert 0 < cache.keep.mean() < 1
    dy = rng.standard_normal(y.shape)
    assert_equal([m.dropout_backward(dy, cache)], [naive.dropout_gradient(dy, cache.keep, 0.3)])


def test_softmax_cross_entropy(rng):
    logits, labels, weights = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))
    labels[:, 1], weights[:, 1] = 255, 0  # pixels that are ignored
    loss, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    assert loss == pytest.approx(naive.softmax_cross_entropy(logits, labels, weights), rel=1e-13)
    expected = naive.softmax_cross_entropy_gradient(-1.7, logits, labels, weights)
    assert_equal([m.softmax_cross_entropy_backward(np.array(-1.7), cache)], [expected])
