"""Dropout: its expected value, its mask, and its rate."""

import numpy as np
import pytest

import minunet as m

pytestmark = pytest.mark.usefixtures("device")  # each test runs on the CPU and on CuPy


def test_dropout_keeps_the_expected_value():
    x = np.ones((2, 5, 100, 100))
    y, _ = m.dropout_forward(x, 0.3, np.random.default_rng(0))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7])


def test_dropout_uses_the_same_mask_on_the_way_back():
    x = np.ones((2, 3, 20, 20))
    y, cache = m.dropout_forward(x, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(m.dropout_backward(x, cache), y)


def test_dropout_of_rate_0_changes_nothing():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    y, cache = m.dropout_forward(x, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(m.dropout_backward(x, cache), x)


def test_dropout_rate_may_be_a_numpy_number():
    x = np.ones((2, 3), np.float32)
    y, cache = m.dropout_forward(x, np.float64(0.5), np.random.default_rng(0))
    assert y.dtype == m.dropout_backward(x, cache).dtype == np.float32
