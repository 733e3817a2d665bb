"""Hessian-vector products: right ones pass, wrong ones fail in the argument that is wrong."""

from typing import NamedTuple

import numpy as np
import pytest

from minunet import check_second_order


def found(report):
    return [(finding.kind, finding.argument) for finding in report.findings]


class Cache(NamedTuple):
    x: np.ndarray
    w: np.ndarray
    y: np.ndarray


def layer_forward(x, w):
    """y = tanh(x @ w)"""
    y = np.tanh(x @ w)
    return y, Cache(x, w, y)


def layer_backward(dy, cache):
    dz = dy * (1 - cache.y**2)
    return dz @ cache.w.T, cache.x.T @ dz


def layer_hvp(dy, cache, direction):
    x, w, y = cache
    ux, uw = direction
    dz = dy * (1 - y**2)
    uy = (1 - y**2) * (ux @ w + x @ uw)  # how y moves along the direction
    udz = -2 * dy * y * uy  # how dz moves
    return udz @ w.T + dz @ uw.T, ux.T @ dz + x.T @ udz


def hvp_without_cross_terms(dy, cache, direction):
    x, w, y = cache
    ux, uw = direction
    udz = -2 * dy * y * (1 - y**2) * (ux @ w + x @ uw)
    return udz @ w.T, x.T @ udz


def hvp_of_the_input_alone(dy, cache, direction):
    hx, hw = layer_hvp(dy, cache, direction)
    return hx, np.zeros_like(hw)


def hvp_twice_too_large(dy, cache, direction):
    return tuple(2 * product for product in layer_hvp(dy, cache, direction))


def layer_args(rng):
    return rng.standard_normal((5, 4)), rng.standard_normal((4, 3))


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_a_right_product(rng, mode):
    report = check_second_order(layer_forward, layer_backward, layer_hvp, layer_args(rng), mode=mode)
    assert report.ok and not report.findings, report
    assert sum(row.compared for row in report.rows) > 0


@pytest.mark.parametrize(
    "hvp, arguments",
    [
        (hvp_without_cross_terms, {"x", "w"}),
        (hvp_of_the_input_alone, {"w"}),
        (hvp_twice_too_large, {"x", "w"}),
    ],
)
def test_wrong_products(rng, hvp, arguments):
    report = check_second_order(layer_forward, layer_backward, hvp, layer_args(rng))
    assert set(found(report)) == {("wrong", argument) for argument in arguments}, report


def test_a_factor_is_named(rng):
    report = check_second_order(layer_forward, layer_backward, hvp_twice_too_large, layer_args(rng))
    assert "2 times" in str(report)


def test_a_wrong_backward_pass_is_reported_first(rng):
    def backward(dy, cache):
        dx, dw = layer_backward(dy, cache)
        return dx, 0.5 * dw

    report = check_second_order(layer_forward, backward, layer_hvp, layer_args(rng))
    assert found(report) == [("wrong", "w")] and "0.5 times" in str(report), report


def test_a_scalar_function_of_one_argument_and_a_given_dy(rng):
    def forward(x):
        return float((x**3).sum()), x

    def backward(dy, x):
        return dy * 3 * x**2

    x = rng.standard_normal((2, 3))
    assert check_second_order(forward, backward, lambda dy, x, u: dy * 6 * x * u, (x,)).ok
    assert check_second_order(forward, backward, lambda dy, x, u: dy * 6 * x * u, (x,), dy=2.0).ok
    assert not check_second_order(forward, backward, lambda dy, x, u: 6 * x * u, (x,), dy=2.0).ok


def test_parameters_in_a_tree(rng):
    def forward(params, x):
        return layer_forward(x, params["layers"][0]["w"])

    def backward(dy, cache):
        dx, dw = layer_backward(dy, cache)
        return {"layers": [{"w": dw}]}, dx

    def hvp(dy, cache, direction):
        uparams, ux = direction
        hx, hw = layer_hvp(dy, cache, (ux, uparams["layers"][0]["w"]))
        return {"layers": [{"w": hw}]}, hx

    x, w = layer_args(rng)
    report = check_second_order(forward, backward, hvp, ({"layers": [{"w": w}]}, x))
    assert report.ok and not report.findings, report


def test_an_argument_that_the_gradient_does_not_depend_on(rng):
    """The bias of an affine layer has no second derivative: zeros are right."""

    def forward(x, w, bias):
        return x @ w + bias, (x, w)

    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy, dy.sum(0)

    def hvp(dy, cache, direction):
        ux, uw, ub = direction
        return dy @ uw.T, ux.T @ dy, 0 * ub

    args = (*layer_args(rng), rng.standard_normal(3))
    report = check_second_order(forward, backward, hvp, args)
    assert report.ok, report
    wrong = check_second_order(forward, backward, lambda *a: (*hvp(*a)[:2], np.ones(3)), args)
    assert found(wrong) == [("wrong", "bias")], wrong


def test_a_pair_without_second_derivatives_proves_nothing(rng):
    report = check_second_order(
        lambda x: (3 * x, None), lambda dy, _: 3 * dy, lambda dy, _, u: 0 * u, (np.ones((2, 3)),)
    )
    assert [kind for kind, _ in found(report)] == ["vacuous"], report
