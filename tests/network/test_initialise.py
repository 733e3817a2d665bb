"""The first weights: how many there are, their names and shapes, He's deviation, and centred weights."""

import numpy as np
import pytest

import minunet as m
from minunet.network.initialise import centre


@pytest.fixture(scope="module")
def full_size():
    return m.flatten(m.init_unet(np.random.default_rng(0)))


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


def test_he_initialisation_has_the_paper_s_deviation(full_size):
    for name, weight in full_size.items():
        if weight.ndim == 4:
            C, incoming = weight.shape[0], weight[0].size  # one tap of the up-convolution paints each pixel: N = C
            deviation = np.sqrt(2 / (C if ".up." in name else incoming))
            assert weight.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * weight.size)), name
            assert abs(weight.mean()) < 5 * deviation / np.sqrt(weight.size), name


def test_he_initialisation_keeps_the_activations_level():
    rng = np.random.default_rng(0)
    _, cache = m.unet_forward(
        m.init_unet(rng, base_channels=32, dtype=np.float64), rng.standard_normal((1, 1, 188, 204))
    )
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
