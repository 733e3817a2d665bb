"""What forward, backward, args and dy may be, and what is refused."""

import numpy as np
import pytest
from layer_pairs import CONV, LOSS, RELU, conv_args, kinds

from minunet import (
    InputError,
    assert_gradients,
    check_adjoint,
    check_second_order,
    conv2d_backward,
    conv2d_forward,
    gradcheck,
)
from minunet.backend import Constant
from minunet.gradcheck.check import MAX_ELEMENTS


def test_scalar_loss_written_by_a_student():
    def forward(prediction, target):
        return ((prediction - target) ** 2).mean(), (prediction, target)

    def backward(dloss, cache):
        prediction, target = cache
        dprediction = dloss * 2 * (prediction - target) / prediction.size
        return dprediction, -dprediction

    rng = np.random.default_rng(0)
    assert gradcheck(forward, backward, (rng.standard_normal((3, 4)), rng.standard_normal((3, 4)))).ok
    forgets_dloss = gradcheck(
        forward, lambda dloss, cache: backward(1.0, cache), (rng.standard_normal(5), rng.standard_normal(5))
    )
    assert not forgets_dloss.ok


def test_single_gradient_needs_no_tuple():
    report = gradcheck(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x), (np.linspace(-1, 1, 7),))
    assert report.ok and not report.findings, report


def test_list_of_gradients_is_as_good_as_a_tuple(rng):
    report = gradcheck(conv2d_forward, lambda dy, cache: list(conv2d_backward(dy, cache)), conv_args(rng))
    assert report.ok and not report.findings, report


def test_integers_and_none_pass_through(rng):
    logits, labels = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    for args in [(logits, labels), (logits, labels, None)]:
        report = gradcheck(*LOSS, args)
        assert report.ok and [row.argument for row in report.rows] == ["logits"], report


def test_gradients_of_nested_parameters_carry_their_dotted_names():
    def forward(params, x):
        return params["scale"] * x + params["shifts"][0], (params["scale"], x)

    def backward(dy, cache):
        scale, x = cache
        return {"scale": np.array((dy * x).sum()), "shifts": [dy.sum(axis=0) * 1.5]}, dy * scale

    rng = np.random.default_rng(0)
    report = gradcheck(forward, backward, ({"scale": np.array(1.3), "shifts": [rng.random(4)]}, rng.random((3, 4))))
    assert [row.argument for row in report.rows] == ["params.scale", "params.shifts.0", "x"]
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("wrong", "params.shifts.0")]


def test_constant_argument_may_do_without_a_gradient(rng):
    def forward(x, mask: Constant):
        return x * mask, mask

    x, mask = rng.standard_normal(6), rng.random(6)
    report = gradcheck(forward, lambda dy, mask: dy * mask, (x, mask))
    assert report.ok and [row.argument for row in report.rows] == ["x"], report
    report = gradcheck(lambda x, mask: (x * mask, mask), lambda dy, mask: dy * mask, (x, mask))
    assert kinds(report) == ["shape"] and report.findings[0].argument == "mask"


@pytest.mark.parametrize("dy", [1.0, np.float32(2.5)])
def test_given_dy_for_a_scalar(rng, dy):
    report = gradcheck(*LOSS, (rng.standard_normal((1, 2, 3, 4)), rng.integers(0, 2, (1, 3, 4))), dy=dy)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mode": "quick"}, "mode must be one of auto, elements, directions, got 'quick'"),
        ({"directions": 0}, "directions must be at least 1, got 0"),
        ({"directions": 2.0}, "directions must be a whole number, got 2.0"),
        ({"directions": True}, "directions must be a whole number, got True"),
        ({"tolerance": 1.5}, "tolerance must be a relative error from 0 to 1, got 1.5"),
        ({"tolerance": -0.1}, "tolerance must be a relative error from 0 to 1, got -0.1"),
        ({"step": 0}, "step must be relative to the size of the argument, between 0 and 1, got 0"),
        ({"step": 1.5}, "step must be relative to the size of the argument, between 0 and 1, got 1.5"),
        ({"tolerance": "x"}, "tolerance must be a relative error from 0 to 1, got 'x'"),
        ({"step": None}, "step must be relative to the size of the argument, between 0 and 1, got None"),
        ({"seed": -1}, "seed must be a whole number, at least 0, got -1"),
        ({"seed": "a"}, "seed must be a whole number, at least 0, got 'a'"),
        ({"rng": 3}, r"rng must be a numpy.random.Generator, got 3; pass np.random.default_rng\(seed\)"),
        ({"constant": 3}, "constant must be a tuple of names of arguments, got 3"),
        ({"dy": np.ones((2, 3))}, r"dy must have the shape of the forward output, \(2, 4, 4, 4\), got \(2, 3\)"),
    ],
)
def test_bad_options(rng, options, message):
    with pytest.raises(InputError, match=message):
        gradcheck(*CONV, conv_args(rng), **options)


def test_a_relative_error_within_the_tolerance_is_let_pass(rng):
    def check(error, tolerance):
        args = (rng.uniform(1, 2, 20),)
        return gradcheck(lambda x: (3 * x, x), lambda dy, x: 3 * (1 + error) * dy, args, tolerance=tolerance).ok

    assert check(0, 0) and check(0.01, 0.02) and check(0.3, 0.5)
    assert not check(0.03, 0.02) and not check(1e-5, None) and check(1e-7, None)


def test_large_arguments_are_checked_along_as_many_directions_as_asked_for(rng):
    pair = (lambda x: (x**2, x)), (lambda dy, x: 2 * dy * x)
    reports = [gradcheck(*pair, (rng.standard_normal(n),)) for n in (MAX_ELEMENTS, MAX_ELEMENTS + 1)]
    assert [report.mode for report in reports] == ["elements", "directions"]
    for count in (1, 5):
        (row,) = gradcheck(*pair, (rng.standard_normal(9),), mode="directions", directions=count).rows
        assert row.compared == count


def test_a_finer_step_stays_clear_of_a_kink_nearby():
    """At 1e-9 beside a kink the usual steps cross it, and further ones must be tried."""
    x = np.array([1e-9, 1.0])
    usual, fine = (gradcheck(*RELU, (x,), step=step).forward_passes for step in (1e-6, 1e-11))
    assert usual > fine


@pytest.mark.parametrize("check", [gradcheck, check_adjoint, assert_gradients])
@pytest.mark.parametrize("odd", [None, "relu", 3])
def test_what_is_no_function_is_named(rng, check, odd):
    x = rng.standard_normal(3)
    for functions, name in (((odd, RELU[1]), "forward"), ((RELU[0], odd), "backward")):
        with pytest.raises(InputError, match=f"^{name} must be a function, got "):
            check(*functions, (x,))


def test_functions_of_other_arguments_are_refused_with_their_signature(rng):
    x = rng.standard_normal(3)
    with pytest.raises(InputError, match=r"forward must take the arguments in args, 1 in all, got forward\(a, b\)"):
        gradcheck(lambda a, b: (a, b), RELU[1], (x,))
    with pytest.raises(InputError, match=r"backward must take \(dy, cache\), 2 in all, got backward\(dy\)"):
        gradcheck(RELU[0], lambda dy: dy, (x,))
    with pytest.raises(InputError, match="hvp must be a function, got a NoneType"):
        check_second_order(*RELU, None, (x,))
    with pytest.raises(InputError, match=r"rng must be a numpy.random.Generator"):
        check_adjoint(*RELU, (x,), rng=3)


def test_arguments_without_floating_point_numbers():
    with pytest.raises(
        InputError, match=r"at least one floating-point array among args, got none; convert x with .astype\("
    ):
        gradcheck(lambda x: (x, None), lambda dy, cache: dy, (np.arange(3),))


def test_args_that_are_no_tuple(rng):
    with pytest.raises(InputError, match=r"args must be a tuple, such as \(x, weight, bias\), got ndarray"):
        gradcheck(*RELU, rng.standard_normal((2, 3)))


def test_forward_without_a_cache(rng):
    with pytest.raises(InputError, match=r"forward must return \(y, cache\), got ndarray"):
        gradcheck(lambda x: 2 * x, lambda dy, cache: 2 * dy, (rng.standard_normal(3),))
