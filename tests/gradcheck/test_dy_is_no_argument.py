"""dy is none of the arguments, even where they were drawn with the same seed: else dy for x, or x for dy, passes."""

from types import SimpleNamespace

import numpy as np
import pytest

from minunet import check_adjoint, check_second_order, gradcheck
from minunet.gradcheck import seed as seed_of_a_test

SEEDS = [None, 0, 1, 7]


def drawn(seed, shape=(4, 5)):
    """Return what a user draws first with this seed; README draws x with 0."""
    return np.random.default_rng(0 if seed is None else seed).standard_normal(shape)


@pytest.fixture
def outside_of_pytest(monkeypatch):
    monkeypatch.setattr(seed_of_a_test, "os", SimpleNamespace(environ={}))


def square(x):
    return x * x, x


CONFUSED = {
    "relu masked by dy": (lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (dy > 0)),
    "square without dy": (square, lambda dy, x: 2 * x * x),
    "square without x": (square, lambda dy, x: 2 * dy * dy),
    "exp without dy": (lambda x: (np.exp(x), x), lambda dy, x: x * np.exp(x)),
}


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CONFUSED)
def test_dy_for_x_and_x_for_dy_are_wrong(outside_of_pytest, name, seed, mode):
    assert not gradcheck(*CONFUSED[name], (drawn(seed),), seed=seed, mode=mode)


@pytest.mark.parametrize("seed", SEEDS)
def test_dy_for_x_in_the_gradient_of_a_weight_is_wrong(outside_of_pytest, seed):
    def backward(dy, cache):
        x, weight = cache
        return dy @ weight.T, dy.T @ dy

    rng = np.random.default_rng(0 if seed is None else seed)
    args = rng.standard_normal((5, 4)), rng.standard_normal((4, 4))
    report = gradcheck(lambda x, weight: (x @ weight, (x, weight)), backward, args, seed=seed)
    assert [(f.kind, f.argument) for f in report.findings] == [("wrong", "weight")]


def test_the_adjoint_test_draws_a_dy_of_its_own(outside_of_pytest):
    x = drawn(0)
    assert not check_adjoint(lambda x: (2 * x, x), lambda dy, x: 2 * x, (x,))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_direction_of_the_second_order_is_not_dy(outside_of_pytest, seed):
    def cube_backward(dy, x):
        return 3 * x**2 * dy

    def check(hvp, **options):
        return check_second_order(lambda x: (x**3, x), cube_backward, hvp, (drawn(5),), **options)

    assert check(lambda dy, x, direction: 6 * x * dy * direction, seed=seed)
    assert not check(lambda dy, x, direction: 6 * x * dy * dy, seed=seed)


def test_the_seed_in_the_report_gives_the_same_dy_again(outside_of_pytest):
    first = gradcheck(square, lambda dy, x: dy * x, (drawn(0),))
    assert str(first).endswith("dy from seed 0")
    np.testing.assert_array_equal(gradcheck(square, lambda dy, x: dy * x, (drawn(0),), seed=0).dy, first.dy)


def test_a_generator_of_the_caller_stays_as_it_is():
    report = gradcheck(square, lambda dy, x: 2 * dy * x, (np.ones((4, 5)),), rng=np.random.default_rng(3))
    np.testing.assert_array_equal(report.dy, drawn(3))
