"""Parts of gradcheck that a whole check seldom needs, one by one; each was found by a mutant that no test noticed."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from minunet import InputError, gradcheck
from minunet.gradcheck.foreign import refuse
from minunet.gradcheck.one_element import lies_between
from minunet.gradcheck.patterns import factor_by_axis, one_number
from minunet.gradcheck.slopes import Probe, Slope


def slope(left, right):
    return Slope(1e-6, (left + right) / 2, 0.0, right, left, 0.0, 0.0, 0)


def test_between_the_sides_of_a_kink_has_a_margin_that_is_a_share_of_their_distance():
    assert lies_between(0.5, slope(-1, 1), 0) and lies_between(1.0001, slope(-1, 1), 0)
    assert not lies_between(1.001, slope(-1, 1), 0)
    assert lies_between(1000.1, slope(-1000, 1000), 0) and lies_between(-1000.1, slope(-1000, 1000), 0)
    assert not lies_between(0.0012, slope(-0.001, 0.001), 0)


def test_what_can_be_made_an_array_is_no_sparse_matrix_yet():
    refuse(SimpleNamespace(toarray=None), "x")
    refuse(SimpleNamespace(nnz=3), "x")
    with pytest.raises(InputError, match="x must be an array, got a sparse matrix"):
        refuse(SimpleNamespace(toarray=None, nnz=3), "x")


@pytest.mark.parametrize("size", [np.pi * 1e-4, np.pi, np.pi * 1e4])
def test_a_gradient_that_ignores_dy_is_told_whatever_its_size(rng, size):
    def forward(x):
        return size * x, None

    report = gradcheck(forward, lambda dy, cache: np.full_like(dy, size), (rng.standard_normal((3, 4)),))
    assert report.findings[0].hint.startswith("It is the same whatever dy is")


def test_an_axis_of_one_place_shows_no_pattern(rng):
    numeric = rng.uniform(1, 2, (1, 8))
    analytic = numeric * rng.uniform(2, 9, (1, 8))
    wrong = np.ones((1, 8), bool)
    assert factor_by_axis(analytic, numeric, wrong) is None
    rows = rng.uniform(1, 2, (4, 8))
    assert factor_by_axis(rows * np.arange(2, 10), rows, np.ones((4, 8), bool)) is not None


def test_a_single_number_has_no_pattern():
    one = np.ones(1, bool)
    assert one_number(np.array([-2.0]), np.array([2.0]), one) == "The sign is wrong."
    assert one_number(np.array([4.0]), np.array([2.0]), one).startswith("It is 2 times the numeric gradient")
    assert one_number(np.array([1.2345]), np.array([1.0]), one).startswith("It is a single number")
    assert one_number(np.ones(2), np.ones(2), np.ones(2, bool)) is None


def test_a_factor_of_the_whole_argument_is_found_along_directions(rng):
    x = rng.standard_normal((40, 50))

    def backward(dy, cache):
        return 2 * cache * dy * 2

    report = gradcheck(lambda x: (x**2, x), backward, (x,), mode="directions")
    assert "about 2 times the numeric gradient" in report.findings[0].hint


def test_a_cast_of_the_argument_that_leaves_no_trace_in_the_cache_is_found(rng):
    def forward(x):
        return np.sin(x.astype(np.float32).astype(np.float64)), x

    report = gradcheck(forward, lambda dy, x: np.cos(x) * dy, (rng.standard_normal((4, 5)),))
    assert [finding.kind for finding in report.findings] == ["precision"]


def test_gradients_by_other_names_are_not_taken_in_their_order(rng):
    params = {"weight": rng.standard_normal(3), "bias": rng.standard_normal(3)}

    def forward(params):
        return params["weight"] * params["bias"], params

    def right(dy, params):
        return {"weight": dy * params["bias"], "bias": dy * params["weight"]}

    def renamed(dy, params):
        return {"dweight": dy * params["bias"], "dbias": dy * params["weight"]}

    assert gradcheck(forward, right, (params,)).ok
    report = gradcheck(forward, renamed, (params,))
    assert not report.ok and {finding.kind for finding in report.findings} == {"shape"}


def test_rounding_counts_only_the_outputs_that_change():
    pair = SimpleNamespace(pair=None)
    y = np.array([3.0, 4.0, 1e6])
    probe = Probe(pair, y, np.ones(3), noise=1e-16)
    few = probe.rounding_at(np.array([True, True, False]))
    assert few == pytest.approx(2e-16 * 5)
    assert probe.rounding_at(None) == probe.rounding_at(np.zeros(3, bool)) == pytest.approx(2e-10)


def test_the_resolution_of_directions_is_what_it_says(rng):
    """An error of one element three times as large as the report says is seen; one of a hundredth is not."""
    x = rng.uniform(1, 2, 400)

    def off_by(share):
        def backward(dy, x):
            dx = 3 * x**2 * dy
            dx[7] += share * np.sqrt(np.mean(dx**2))
            return dx

        return gradcheck(lambda x: (x**3, x), backward, (x,), mode="directions")

    said = float(re.search(r"off by more than (\S+) of the typical size", str(off_by(0.0))).group(1))
    assert not off_by(3 * said).ok
    assert off_by(said / 100).ok


@pytest.mark.parametrize("seed", range(2))
def test_no_element_may_be_off_by_more_than_the_resolution(seed):
    """Not even one that the random directions hardly move."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 2, 20)

    def off_by(share, element):
        def backward(dy, x):
            dx = 3 * x**2 * dy
            dx[element] += share * np.sqrt(np.mean(dx**2))
            return dx

        return gradcheck(lambda x: (x**3, x), backward, (x,), mode="directions", directions=1, seed=seed)

    said = float(re.search(r"off by more than (\S+) of the typical size", str(off_by(0.0, 0))).group(1))
    assert all(not off_by(1.1 * said, element).ok for element in range(20))
