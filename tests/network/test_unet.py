"""The network's passes: the sizes of Fig. 1, the fork, dropout, and the slope along a direction."""

import functools

import numpy as np
import pytest

import minunet as m
from minunet.backend import map_tree
from minunet.network.sizes import trace

on_every_device = pytest.mark.usefixtures("device")


def draw(rng, *shape):
    return rng.standard_normal(shape)


def unet(rng, **network):
    """Return float64 parameters with non-zero biases."""
    params = m.init_unet(rng, dtype=np.float64, **network)
    return map_tree(lambda array: array if array.any() else draw(rng, *array.shape) / 2, params)


NETWORKS = [
    (dict(depth=1, base_channels=5, in_channels=3, num_classes=1), 18, 30),
    (dict(depth=2, base_channels=3, in_channels=1, num_classes=4), 52, 44),
    (dict(depth=3, base_channels=1, in_channels=2, num_classes=3), 92, 100),
]
networks = pytest.mark.parametrize("network, H, W", NETWORKS)


@on_every_device
@networks
def test_the_network_gives_the_sizes_of_the_trace(network, H, W):
    rng = np.random.default_rng(0)
    depth, base_channels = network["depth"], network["base_channels"]
    logits, cache = m.unet_forward(unet(rng, **network), draw(rng, 2, network["in_channels"], H, W))
    assert logits.shape == (2, network["num_classes"], m.output_size(H, depth), m.output_size(W, depth))
    heights, widths = trace(H, depth), trace(W, depth)
    assert cache.bottom.relu2.y.shape == (2, base_channels * 2**depth, heights.bottom, widths.bottom)
    for level in range(depth):
        N, F = 2, base_channels * 2**level
        assert cache.encode[level].conv.relu2.y.shape == (N, F, heights.down[level], widths.down[level])
        assert cache.decode[level].conv.relu2.y.shape == (N, F, heights.up[level], widths.up[level])
        _, _, SH, SW = cache.decode[level].concat.skip_shape
        _, _, OH, OW = cache.decode[level].concat.x_shape
        assert ((SH - OH) / 2, (SW - OW) / 2) == (heights.crops()[level], widths.crops()[level])


@on_every_device
@networks
def test_gradients_have_the_structure_of_the_parameters(network, H, W):
    rng = np.random.default_rng(0)
    params, x = unet(rng, **network), draw(rng, 2, network["in_channels"], H, W)
    logits, cache = m.unet_forward(params, x)
    grads, dx = m.unet_backward(draw(rng, *logits.shape), cache, with_dx=True)
    shapes_of = functools.partial(map_tree, lambda array: array.shape)
    assert shapes_of(grads) == shapes_of(params)
    assert list(m.flatten(grads)) == list(m.flatten(params))
    assert dx.shape == x.shape
    assert all(array.any() for array in m.flatten(grads).values())


@on_every_device
def test_without_dx_only_the_gradients_of_the_parameters_come_back():
    logits, cache, _ = small_network()
    np.testing.assert_equal(m.unet_backward(logits, cache), m.unet_backward(logits, cache, with_dx=True)[0])


@on_every_device
def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    params = m.init_unet(rng, base_channels=2, depth=1)
    logits, cache = m.unet_forward(params, draw(rng, 2, 1, 20, 22).astype(np.float32), 0.5, rng)
    grads, dx = m.unet_backward(logits, cache, with_dx=True)
    assert {array.dtype for array in (logits, dx, *m.flatten(grads).values())} == {np.dtype(np.float32)}


@on_every_device
def test_forward_and_backward_change_nothing_they_are_given():
    rng = np.random.default_rng(0)
    params, x = unet(rng, base_channels=2, depth=2), draw(rng, 2, 1, 44, 48)
    before = map_tree(np.copy, (params, x))
    logits, cache = m.unet_forward(params, x, 0.5, rng)
    cache_before = map_tree(np.copy, cache)
    dlogits = draw(rng, *logits.shape)
    dlogits_before = dlogits.copy()
    first, second = m.unet_backward(dlogits, cache), m.unet_backward(dlogits, cache)
    np.testing.assert_equal((params, x, cache, dlogits), (*before, cache_before, dlogits_before))
    np.testing.assert_equal(first, second)


# The fork: a level's output goes to the pool and to the skip connection, and both send a gradient back.


def small_network(depth=1):
    rng = np.random.default_rng(0)
    params, n = unet(rng, base_channels=3, depth=depth), m.smallest_input_size(4, depth)
    logits, cache = m.unet_forward(params, draw(rng, 2, 1, n, n + 2**depth))
    return draw(rng, *logits.shape), cache, params


def encoder_gradients(monkeypatch, dlogits, cache, cut):
    """Return the encoder's gradients; `cut` takes the dskip or the dx away that a layer sends back."""
    with monkeypatch.context() as patch:
        if cut == "skip":
            original = m.crop_concat_backward
            patch.setattr(
                "minunet.network.unet.crop_concat_backward", lambda *a: (0 * original(*a)[0], original(*a)[1])
            )
        if cut == "pool":
            original = m.max_pool_backward
            patch.setattr("minunet.network.unet.max_pool_backward", lambda *a: 0 * original(*a))
        return m.flatten(m.unet_backward(dlogits, cache)["encode"])


@on_every_device
def test_the_gradients_of_skip_and_pool_add_up_at_the_fork(monkeypatch):
    dlogits, cache, _ = small_network()
    both = encoder_gradients(monkeypatch, dlogits, cache, None)
    through_pool = encoder_gradients(monkeypatch, dlogits, cache, "skip")
    through_skip = encoder_gradients(monkeypatch, dlogits, cache, "pool")
    for name, gradient in both.items():
        assert through_pool[name].any() and through_skip[name].any()
        np.testing.assert_allclose(gradient, through_pool[name] + through_skip[name], rtol=1e-10, atol=1e-12)


@on_every_device
@pytest.mark.parametrize("cut", ["skip", "pool"])
def test_cutting_one_path_changes_the_gradient_of_every_level(monkeypatch, cut):
    dlogits, cache, _ = small_network(depth=3)
    both = encoder_gradients(monkeypatch, dlogits, cache, None)
    for name, gradient in encoder_gradients(monkeypatch, dlogits, cache, cut).items():
        assert np.abs(gradient - both[name]).max() > 1e-3 * np.abs(both[name]).max(), name


@on_every_device
def test_a_network_that_ignores_its_skips_gets_its_gradient_through_the_pool_alone(monkeypatch):
    rng = np.random.default_rng(0)
    params = unet(rng, base_channels=3, depth=1)
    params["decode"][0]["conv1"]["weight"][:, :3] = 0  # the first three channels are the skip's
    logits, cache = m.unet_forward(params, draw(rng, 2, 1, 20, 24))
    dlogits = draw(rng, *logits.shape)
    both = encoder_gradients(monkeypatch, dlogits, cache, None)
    np.testing.assert_equal(both, encoder_gradients(monkeypatch, dlogits, cache, "skip"))
    assert not any(array.any() for array in encoder_gradients(monkeypatch, dlogits, cache, "pool").values())


# Dropout.


def run_with_dropout(rate, rng):
    draws = np.random.default_rng(0)
    return m.unet_forward(unet(draws, base_channels=3, depth=2), draw(draws, 2, 1, 52, 48), rate, rng)


@on_every_device
def test_dropout_acts_on_the_bottom():
    _, cache = run_with_dropout(0.5, np.random.default_rng(1))
    bottom, keep = cache.bottom.relu2.y, cache.dropout.keep
    assert keep.shape == bottom.shape and 0.3 < keep.mean() < 0.7
    np.testing.assert_array_equal(cache.decode[1].up.x, np.where(keep, 2 * bottom, 0))


@on_every_device
def test_dropout_depends_on_the_generator_alone():
    first, same, other = (run_with_dropout(0.5, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.any(first != other)


@on_every_device
def test_no_dropout_needs_no_generator_and_draws_nothing():
    rng = np.random.default_rng(1)
    logits, cache = run_with_dropout(0.0, rng)
    np.testing.assert_array_equal(logits, run_with_dropout(0.0, None)[0])
    assert rng.random() == np.random.default_rng(1).random()
    assert cache.dropout is None


@on_every_device
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_backward_is_the_slope_along_a_random_direction(rate):
    rng = np.random.default_rng(0)
    params, x = unet(rng, base_channels=3, depth=2), draw(rng, 2, 1, 44, 48)
    direction = map_tree(lambda array: draw(rng, *array.shape), params)

    def moved(step):
        there = map_tree(np.copy, params)
        for name, array in m.flatten(there).items():
            array += step * m.flatten(direction)[name]
        return m.unet_forward(there, x, rate, np.random.default_rng(5))

    logits, cache = moved(0)
    dlogits = draw(rng, *logits.shape)
    grads = m.flatten(m.unet_backward(dlogits, cache))
    expected = sum(np.vdot(grads[name], array) for name, array in m.flatten(direction).items())
    slope = np.vdot(dlogits, moved(1e-6)[0] - moved(-1e-6)[0]) / 2e-6
    assert slope == pytest.approx(expected, rel=1e-6)
