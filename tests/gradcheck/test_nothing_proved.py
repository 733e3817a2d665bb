"""Checks that prove nothing are vacuous; an unusual dy alone is no low precision."""

import numpy as np
import pytest
from layer_pairs import MODES, POOL, RELU, kinds

from minunet import gradcheck


@pytest.mark.parametrize("pair", [RELU, POOL], ids=["relu", "max_pool"])
def test_dy_of_ones_is_no_low_precision(rng, pair):
    x = rng.standard_normal((1, 2, 6, 4))
    y, _ = pair[0](x)
    for dy in (np.ones_like(y), rng.standard_normal(y.shape).astype(np.float32)):
        report = gradcheck(*pair, (x,), dy=dy)
        assert report.ok and not report.findings, report


def test_dy_of_ones_on_a_softmax_proves_nothing():
    def forward(x):
        p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return p, p

    def backward(dp, p):
        return p * (dp - (dp * p).sum(axis=1, keepdims=True))

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert gradcheck(forward, backward, (x,)).ok
    for mode in MODES:
        assert kinds(gradcheck(forward, backward, (x,), dy=np.ones((3, 4)), mode=mode)) == ["vacuous"]


@pytest.mark.parametrize("mode", MODES)
def test_dead_relu_proves_nothing(rng, mode):
    report = gradcheck(*RELU, (-1 - rng.random((2, 3, 4)),), mode=mode)
    assert not report.ok and kinds(report) == ["vacuous"]


@pytest.mark.parametrize("mode", MODES)
def test_step_function_proves_nothing(rng, mode):
    report = gradcheck(
        lambda x: ((x > 0) * 1.0, x.shape), lambda dy, shape: np.zeros(shape), (rng.standard_normal((5, 6)),), mode=mode
    )
    assert not report.ok and kinds(report) == ["vacuous"], report
