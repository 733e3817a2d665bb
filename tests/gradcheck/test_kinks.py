"""Zeros under a ReLU and ties in a pool: kinks are reported, raise no alarm, and hide no wrong gradient."""

import numpy as np
import pytest
from layer_pairs import MODES, POOL, RELU, kinds

from minunet import gradcheck, init_unet, relu_backward, relu_forward, unet_backward, unet_forward


@pytest.mark.parametrize("mode", MODES)
def test_zeros_in_a_relu_are_kinks_and_no_alarm(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:10] = 0
    report = gradcheck(*RELU, (x,), mode=mode)
    assert report.ok, report
    assert kinds(report) == ["kink"]
    if mode == "elements":
        (kink,) = report.findings
        assert (kink.argument, kink.count, kink.total) == ("x", 10, x.size)
        assert report.rows[0].compared == x.size - 10


@pytest.mark.parametrize("mode", MODES)
def test_ties_in_a_pool_are_kinks_and_no_alarm(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x[0] = x[0].round()  # grey values from a file: many windows have two winners
    x[1, 0, :2, :2] = 1.0
    report = gradcheck(*POOL, (x,), mode=mode)
    assert report.ok, report
    assert kinds(report) == ["kink"]
    assert 0 < report.findings[0].count < report.findings[0].total


@pytest.mark.parametrize("mode", MODES)
def test_values_closer_to_a_kink_than_any_step(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:6] = [1e-7, -1e-7, 1e-9, -1e-9, 1e-12, -1e-12]
    report = gradcheck(*RELU, (x,), mode=mode)
    assert report.ok, report


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_unet_with_kinks_everywhere(rng, mode):
    """Without biases, an image that is black at one side leaves every ReLU there at exactly 0, and every pool tied."""
    params = init_unet(rng, base_channels=2, depth=1, dtype=np.float64)
    x = rng.standard_normal((1, 1, 20, 22))
    x[..., :10] = 0
    report = gradcheck(unet_forward, unet_backward, (params, x), mode=mode)
    assert report.ok, report


def test_wrong_gradient_is_found_beside_kinks(rng):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:10] = 0
    report = gradcheck(relu_forward, lambda dy, cache: 1.01 * relu_backward(dy, cache), (x,))
    assert not report.ok
    assert sorted(kinds(report)) == ["kink", "wrong"]


@pytest.mark.parametrize("mode", MODES)
def test_kinks_within_a_nudge_are_no_low_precision(rng, mode):
    """In a large network a change of 1e-7 crosses kinks; here every element has one on either side."""
    corner = rng.standard_normal(60)
    gaps = np.array([[-1.5e-7], [0.5e-7], [1.5e-7], [-0.5e-7]])

    def forward(x):
        opened = x > corner + gaps  # (4, 60)
        return x + 0.1 * ((x - corner - gaps) * opened).sum(axis=0), opened

    def backward(dy, opened):
        return dy * (1 + 0.1 * opened.sum(axis=0))

    report = gradcheck(forward, backward, (corner.copy(),), mode=mode)
    assert "precision" not in kinds(report) and report.ok, report
