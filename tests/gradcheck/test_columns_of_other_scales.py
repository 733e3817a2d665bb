"""Raw features: columns at 1e-4, 1 and 1e4 in one argument, and weights that bring them to one scale."""

import numpy as np
import pytest
from layer_pairs import kinds

from minunet import gradcheck


def forward(x, weight):
    y = np.tanh(x @ weight)
    return y, (x, weight, y)


def backward_with_a_factor(factor):
    def backward(dy, cache):
        x, weight, y = cache
        da = dy * (1 - y * y)
        return da @ weight.T, factor * x.T @ da

    return backward


def args(scales, seed):
    normal, scales = np.random.default_rng(seed).standard_normal, np.array(scales)
    return normal((6, 3)) * scales, normal((3, 4)) / scales[:, None]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scales", [(1e-2, 1, 1e2), (1e-4, 1, 1e4), (1e-6, 1, 1e6)], ids="{0[2]:g}".format)
def test_they_are_checked_one_by_one(scales, seed):
    report = gradcheck(forward, backward_with_a_factor(1), args(scales, seed))
    assert report.ok and not report.findings and [row.compared for row in report.rows] == [18, 12], report
    wrong = gradcheck(forward, backward_with_a_factor(1.0001), args(scales, seed))
    assert kinds(wrong) == ["wrong"] and wrong.findings[0].count == 12, wrong


@pytest.mark.parametrize("seed", range(3))
def test_jointly_the_cause_and_the_remedy_are_named(seed):
    (finding,) = gradcheck(forward, backward_with_a_factor(1), args((1e-4, 1, 1e4), seed), mode="directions").findings
    assert finding.kind == "precision" and "very different sizes" in finding.hint and "mode='elements'" in finding.hint


@pytest.mark.parametrize("scales", [(1, 1, 1), (1e-4, 1, 1e4)], ids="{0[2]:g}".format)
@pytest.mark.parametrize("lost", [1e7, 1e8])
def test_digits_that_are_lost_are_still_seen(lost, scales):
    def with_a_large_number_between(x, weight):
        y = np.tanh(x @ weight)
        return (y + lost) - lost, (x, weight, y)

    report = gradcheck(with_a_large_number_between, backward_with_a_factor(1), args(scales, 0))
    assert "precision" in kinds(report) and "Digits are lost" in report.findings[0].hint, report
