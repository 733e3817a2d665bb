"""Cases that users of other checkers have reported: right layers that were called wrong, or the other way round."""

import numpy as np
import pytest

from minunet import gradcheck, relu_backward, relu_forward

MODES = ["elements", "directions"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def batch_norm(x, gamma, beta):
    deviation = np.sqrt(x.var(axis=0) + 1e-5)
    normal = (x - x.mean(axis=0)) / deviation
    return gamma * normal + beta, (normal, deviation, gamma)


def batch_norm_backward(dy, cache):
    normal, deviation, gamma = cache
    d = dy * gamma
    dx = (d - d.mean(axis=0) - normal * (d * normal).mean(axis=0)) / deviation
    return dx, (dy * normal).sum(axis=0), dy.sum(axis=0)


def linear_and_batch_norm(x, weight, bias):
    F = len(bias)
    y, cache = batch_norm(x @ weight + bias, np.ones(F), np.zeros(F))
    return y, (x, weight, cache)


def linear_and_batch_norm_backward(dy, cache):
    x, weight, inner = cache
    d, _, _ = batch_norm_backward(dy, inner)
    return d @ weight.T, x.T @ d, d.sum(axis=0)


@pytest.mark.parametrize("mode", MODES)
def test_bias_before_a_batch_norm_is_vacuous_and_not_wrong(rng, mode):
    """The bias is subtracted again: its gradient is 0, of which rounding leaves 1e-16."""
    args = rng.standard_normal((6, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
    report = gradcheck(linear_and_batch_norm, linear_and_batch_norm_backward, args, mode=mode)
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("vacuous", "bias")], report


@pytest.mark.parametrize("mode", MODES)
def test_bias_before_a_batch_norm_with_a_gradient_is_wrong(rng, mode):
    def backward(dy, cache):
        dx, dweight, dbias = linear_and_batch_norm_backward(dy, cache)
        return dx, dweight, dbias + 1e-6

    args = rng.standard_normal((6, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
    report = gradcheck(linear_and_batch_norm, backward, args, mode=mode)
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("wrong", "bias")], report


@pytest.mark.parametrize("mode", MODES)
def test_batch_norm_with_a_dy_of_ones_is_vacuous_and_not_wrong(rng, mode):
    args = rng.standard_normal((6, 3)), rng.standard_normal(3), rng.standard_normal(3)
    assert gradcheck(batch_norm, batch_norm_backward, args, mode=mode).ok
    report = gradcheck(batch_norm, batch_norm_backward, args, dy=np.ones((6, 3)), mode=mode)
    assert [(f.kind, f.argument) for f in report.findings] == [("vacuous", "x"), ("vacuous", "gamma")], report


@pytest.mark.parametrize("mode", MODES)
def test_layer_without_features_is_right(rng, mode):
    def backward(dy, cache):
        x, weight = cache
        return dy @ weight, dy.T @ x, dy.sum(axis=0)

    args = np.zeros((5, 0)), np.zeros((3, 0)), rng.standard_normal(3)
    report = gradcheck(lambda x, weight, bias: (x @ weight.T + bias, (x, weight)), backward, args, mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
def test_outputs_without_a_gradient_may_stand_beside_the_others(rng, mode):
    def forward(x):
        return (np.zeros_like(x), x * x, np.argsort(x), x > 0, 3, None), x

    report = gradcheck(forward, lambda dy, x: 2 * dy[1] * x, (rng.standard_normal(5),), mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
def test_maximum_over_numbers_of_all_sizes(mode):
    def forward(x):
        return x.max(axis=0), (x.argmax(axis=0), x.shape)

    def backward(dy, cache):
        winner, shape = cache
        dx = np.zeros(shape)
        dx[winner, np.arange(shape[1])] = dy
        return dx

    x = np.array([[1.3e241], [1.4e-310], [2.2e-304]])
    assert gradcheck(forward, backward, (x,), mode=mode).ok


@pytest.mark.parametrize("mode", MODES)
def test_index_that_is_written_twice_is_found(rng, mode):
    def unpool(x, index):
        y = np.zeros(6)
        y[index] = x  # the later one wins
        return y, index

    args = rng.standard_normal(3), np.array([1, 4, 1])
    report = gradcheck(unpool, lambda dy, index: dy[index], args, mode=mode)
    assert [(f.kind, f.argument, f.index) for f in report.findings] == [("wrong", "x", (0,))], report


@pytest.mark.parametrize("mode", MODES)
def test_backward_pass_that_differs_in_the_tenth_digit_is_nondeterministic(rng, mode):
    calls = []

    def backward(dy, cache):
        calls.append(dy)
        return 2 * dy * (1 + 1e-9 * len(calls))

    report = gradcheck(lambda x: (2 * x, None), backward, (rng.standard_normal(4),), mode=mode)
    assert [finding.kind for finding in report.findings] == ["nondeterministic"], report


@pytest.mark.parametrize("mode", MODES)
def test_relu_of_zeros_is_never_wrong(mode):
    report = gradcheck(relu_forward, relu_backward, (np.zeros((1, 1, 16, 16)),), mode=mode)
    assert {finding.kind for finding in report.findings} <= {"kink", "vacuous"}, report


@pytest.mark.parametrize("mode", MODES)
def test_norm_at_zero_has_no_finite_gradient(mode):
    def norm(x):
        size = np.sqrt((x * x).sum())
        return size, (x, size)

    with np.errstate(invalid="ignore"):
        report = gradcheck(norm, lambda dy, cache: dy * cache[0] / cache[1], (np.zeros(4),), mode=mode)
    assert [finding.kind for finding in report.findings] == ["nonfinite"], report
