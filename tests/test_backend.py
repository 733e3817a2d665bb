"""Nested dicts and lists of arrays: their dotted names, and where they are."""

import numpy as np

import minunet as m


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
