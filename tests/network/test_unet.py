"""The network: Fig. 1's numbers, sizes against a simulation, the fork, dropout, the initialisation."""

import functools

import numpy as np
import pytest

import minunet as m
from minunet.backend import map_tree
from minunet.network import sizes as shapes
from minunet.network.initialise import centre

on_every_device = pytest.mark.usefixtures("device")


def draw(rng, *shape):
    return rng.standard_normal(shape)


def unet(rng, **network):
    """Return float64 parameters with non-zero biases."""
    params = m.init_unet(rng, dtype=np.float64, **network)
    return map_tree(lambda array: array if array.any() else draw(rng, *array.shape) / 2, params)


@pytest.fixture(scope="module")
def full_size():
    return m.flatten(m.init_unet(np.random.default_rng(0)))


# Parameters.


def test_the_default_network_has_31_030_658_parameters(full_size):
    assert sum(array.size for array in full_size.values()) == 31_030_658


def test_the_default_network_has_23_convolutional_layers(full_size):
    assert sum(name.endswith(".weight") for name in full_size) == 23


def test_default_parameters_are_float32_and_biases_zero(full_size):
    assert {array.dtype for array in full_size.values()} == {np.dtype(np.float32)}
    assert not any(array.any() for name, array in full_size.items() if name.endswith(".bias"))


def test_parameter_names_and_shapes():
    params = m.init_unet(np.random.default_rng(0), in_channels=3, num_classes=5, base_channels=4, depth=2)
    weights = {
        "encode.0.conv1": (4, 3, 3, 3),
        "encode.0.conv2": (4, 4, 3, 3),
        "encode.1.conv1": (8, 4, 3, 3),
        "encode.1.conv2": (8, 8, 3, 3),
        "bottom.conv1": (16, 8, 3, 3),
        "bottom.conv2": (16, 16, 3, 3),
        "decode.0.up": (8, 4, 2, 2),
        "decode.0.conv1": (4, 8, 3, 3),
        "decode.0.conv2": (4, 4, 3, 3),
        "decode.1.up": (16, 8, 2, 2),
        "decode.1.conv1": (8, 16, 3, 3),
        "decode.1.conv2": (8, 8, 3, 3),
        "head": (5, 4, 1, 1),
    }
    expected = []
    for name, shape in weights.items():
        features = shape[1] if name.endswith("up") else shape[0]
        expected += [(f"{name}.weight", shape), (f"{name}.bias", (features,))]
    assert [(name, array.shape) for name, array in m.flatten(params).items()] == expected


def test_the_same_seed_gives_the_same_parameters():
    first, same, other = (m.flatten(m.init_unet(np.random.default_rng(s), base_channels=2)) for s in (1, 1, 2))
    np.testing.assert_equal(first, same)
    assert np.any(first["head.weight"] != other["head.weight"])


# He initialisation.


def test_he_initialisation_has_the_paper_s_deviation(full_size):
    for name, weight in full_size.items():
        if weight.ndim == 4:
            C, incoming = weight.shape[0], weight[0].size  # one tap of the up-convolution paints each pixel: N = C
            deviation = np.sqrt(2 / (C if ".up." in name else incoming))
            assert weight.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * weight.size)), name
            assert abs(weight.mean()) < 5 * deviation / np.sqrt(weight.size), name


def test_he_initialisation_keeps_the_activations_level():
    rng = np.random.default_rng(0)
    _, cache = m.unet_forward(m.init_unet(rng, base_channels=32, dtype=np.float64), draw(rng, 1, 1, 188, 204))
    levels = [*(level.conv for level in cache.encode), cache.bottom, *(level.conv for level in cache.decode)]
    power = np.array([[np.mean(level.relu1.y**2), np.mean(level.relu2.y**2)] for level in levels])
    assert 0.6 < np.min(power[:, 1] / power[:, 0]) and np.max(power[:, 1] / power[:, 0]) < 1.6  # one convolution
    assert 0.5 < np.min(power) and np.max(power) < 15  # all of them; the pools raise it, since they pick the largest


def test_centred_weights_sum_to_zero_and_keep_their_deviation():
    params = m.init_unet(np.random.default_rng(0), base_channels=8, depth=2)
    plain = {name: array.copy() for name, array in m.flatten(params).items()}
    centre(params)
    for name, weight in m.flatten(params).items():
        if name.endswith(".weight"):
            axes = 0 if ".up." in name else (1, 2, 3)
            np.testing.assert_allclose(weight.sum(axis=axes), 0, atol=1e-4, err_msg=name)
            np.testing.assert_allclose(weight.std(), plain[name].std(), rtol=0.1, err_msg=name)
            assert weight.dtype == np.float32
        else:
            np.testing.assert_array_equal(weight, plain[name])


def test_a_neuron_with_one_incoming_node_keeps_its_weight():
    params = m.init_unet(np.random.default_rng(0), base_channels=1, depth=1)
    params["head"]["weight"][:] = 3  # of shape (2, 1, 1, 1)
    centre(params)
    assert (params["head"]["weight"] == 3).all()


def test_centring_goes_by_the_place_in_the_network_and_not_by_names():
    params = m.init_unet(np.random.default_rng(0), base_channels=4, depth=1)
    up = params["decode"][0]["up"]["weight"]  # (C, F, 2, 2)
    params["head"]["weight"] = np.ones((2, 4, 1, 1)) * np.array([1, 2, 3, 6]).reshape(4, 1, 1)
    centre(params)
    np.testing.assert_allclose(up.sum(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(params["head"]["weight"][:, :, 0, 0], np.array([[-2, -1, 0, 3]] * 2) * np.sqrt(4 / 3))


# Sizes.


@functools.cache
def windows(n):
    """Return how many 3-pixel windows fit into n pixels, by counting them."""
    return sum(start + 3 <= n for start in range(n))


@functools.cache
def simulate(n, depth):
    """Return (down, bottom, up) as the layers make them one after the other, or None if one of them cannot."""
    down, up = [], []
    for _ in range(depth):
        n = windows(windows(n))
        if n % 2:
            return None
        down.append(n)
        n //= 2
    bottom = n = windows(windows(n))
    for _ in range(depth):
        n = windows(windows(n + n))
        up.insert(0, n)
    return (down, bottom, up) if n else None


def test_sizes_of_fig_1():
    followed = shapes.trace(572)
    assert followed.down == [568, 280, 136, 64]
    assert followed.bottom == 28
    assert followed.up == [388, 196, 100, 52]
    assert followed.crops() == [88, 40, 16, 4]
    assert m.output_size(572) == 388


@pytest.mark.parametrize("n, output", [(188, 4), (204, 20), (572, 388), (700, 516), (1020, 836)])
def test_known_sizes(n, output):
    assert m.output_size(n) == output
    assert m.smallest_input_size(output) == n


@pytest.mark.parametrize("output, n", [(1, 188), (4, 188), (5, 204), (387, 572), (388, 572), (389, 588), (512, 700)])
def test_smallest_input_size_rounds_up(output, n):
    assert m.smallest_input_size(output) == n


@pytest.mark.parametrize("depth", range(1, 6))
def test_sizes_equal_a_simulation(depth):
    valid = 0
    for n in range(-3, 640):
        expected = simulate(n, depth)
        assert shapes.fits(n, depth) == (expected is not None), n
        if expected is not None:
            valid += 1
            assert tuple(shapes.trace(n, depth)) == expected
            assert m.output_size(n, depth) == expected[-1][0] == n - shapes.border(depth)
    assert valid >= 5


@pytest.mark.parametrize("depth", range(1, 6))
def test_smallest_input_size_equals_a_search(depth):
    outputs = {n: simulate(n, depth)[-1][0] for n in range(700) if simulate(n, depth)}
    for output in range(1, 250):
        assert m.smallest_input_size(output, depth) == min(n for n in outputs if outputs[n] >= output)


@pytest.mark.parametrize("depth", range(1, 6))
def test_an_error_names_the_nearest_valid_sizes(depth):
    valid = [n for n in range(700) if simulate(n, depth)]
    for n in set(range(-3, 600)) - set(valid):
        above = min(v for v in valid if v > n)
        below = max((v for v in valid if v < n), default=None)
        nearest = f"smallest valid size is {above}" if below is None else f"nearest valid sizes are {below} and {above}"
        with pytest.raises(m.InputError, match=f"^input size {n} does not fit depth {depth}; the {nearest}$"):
            m.output_size(n, depth)


# Forward and backward.

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
    heights, widths = shapes.trace(H, depth), shapes.trace(W, depth)
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


# Trees.


def test_flatten_joins_names_and_numbers_with_dots():
    tree = {"head": 0, "encode": [{"conv1": 1}, (2, [3])]}
    assert m.flatten(tree) == {"head": 0, "encode.0.conv1": 1, "encode.1.0": 2, "encode.1.1.0": 3}


def test_to_device_cpu_returns_the_same_host_arrays():
    params = m.init_unet(np.random.default_rng(0), base_channels=1, depth=1)
    there = m.to_device({"params": params, "nothing": None, "number": 3}, "cpu")
    assert there["nothing"] is None and there["number"] == 3
    for name, array in m.flatten(params).items():
        assert m.flatten(there["params"])[name] is array


def test_to_device_passes_numpy_scalars_through():
    loss, _ = m.softmax_cross_entropy_forward(np.zeros((1, 2, 1, 1)), np.zeros((1, 1, 1), int))
    assert m.to_device({"loss": loss}, "cpu")["loss"] == loss
