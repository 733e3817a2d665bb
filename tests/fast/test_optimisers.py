"""An optimiser's step for all parameters at once, chunk by chunk, equals the readable one, bit for bit."""

import numpy as np
import pytest

from minunet import flatten, init_unet
from minunet.backend import map_tree
from minunet.fast import thresholds
from minunet.fast.cpu import parallel
from minunet.fast.one_array import in_one_array
from minunet.training.optimiser_step import take_step
from minunet.training.optimisers import OPTIMISERS


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_equal_the_readable_ones(monkeypatch, rng, name, dtype, cores):
    monkeypatch.setattr(parallel, "threads", lambda: cores)
    monkeypatch.setattr(thresholds, "OPTIMISER_CHUNK", 100)  # the last chunk is a shorter one
    params = init_unet(rng, base_channels=2, depth=1, dtype=dtype, norm="batch")
    expected = map_tree(np.copy, params)
    state, expected_state = OPTIMISERS[name].init(params), OPTIMISERS[name].init(params)
    for step in (1, 2, 3):
        grads = map_tree(lambda x: rng.standard_normal(x.shape).astype(dtype), params)
        before = map_tree(np.copy, grads)
        take_step(name, params, dict(reversed(flatten(grads).items())), state, 0.1, 0.9, step)
        OPTIMISERS[name].step(expected, grads, expected_state, 0.1, 0.9, step)
        if step == 1:
            whole = in_one_array(params)
        if step == 2:  # what folds a normalisation replaces parameters
            assert np.shares_memory(in_one_array(params), whole)
            params["bottom"]["conv1"]["weight"] = params["bottom"]["conv1"]["weight"] * 1
            expected["bottom"]["conv1"]["weight"] = expected["bottom"]["conv1"]["weight"] * 1
        assert_same_bits(grads, before)
    assert_same_bits(params, expected)
    assert_same_bits(state, expected_state)
    assert not np.shares_memory(in_one_array(params), whole)


def assert_same_bits(tree, expected):
    tree, expected = flatten(tree), flatten(expected)
    assert list(tree) == list(expected)
    for name, x in expected.items():
        assert tree[name].dtype == x.dtype
        np.testing.assert_array_equal(tree[name], x, err_msg=name)


def test_a_weight_without_a_gradient_stays_in_float16():
    params = {"weight": np.ones(3, np.float16)}
    take_step("adam", params, {"weight": np.zeros(3, np.float16)}, OPTIMISERS["adam"].init(params), 0.1, 0.9, 1)
    np.testing.assert_array_equal(params["weight"], 1)


def test_arrays_of_different_dtypes_take_the_readable_step(rng):
    params = {"a": rng.standard_normal(3), "b": rng.standard_normal(2).astype(np.float32)}
    a = params["a"]
    take_step("sgd", params, map_tree(np.ones_like, params), OPTIMISERS["sgd"].init(params), 0.5, 0.9, 1)
    assert params["a"] is a and params["b"].dtype == np.float32
