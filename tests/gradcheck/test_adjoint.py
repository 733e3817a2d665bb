"""The adjoint test: linear pairs pass, a wrong transpose fails at the element that is wrong."""

import numpy as np
import pytest

from minunet import (
    InputError,
    check_adjoint,
    conv2d_backward,
    conv2d_forward,
    crop_concat_backward,
    crop_concat_forward,
    relu_backward,
    relu_forward,
    up_conv_backward,
    up_conv_forward,
)


def kinds(report):
    return [finding.kind for finding in report.findings]


def conv_args(rng):
    return rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)


def times_two_off_at(*index):
    """Return a right forward pass, y = x, and a backward pass with one wrong element."""

    def backward(dy, shape):
        dx = dy.copy()
        dx[index] *= 1.0001
        return dx

    return lambda x: (x.copy(), x.shape), backward


@pytest.mark.parametrize("argument", ["x", "weight", "bias"])
def test_a_convolution_is_linear_in_each_argument(rng, argument):
    report = check_adjoint(conv2d_forward, conv2d_backward, conv_args(rng), argument)
    assert report.ok and not report.findings, report
    (row,) = report.rows
    assert row.argument == argument and row.error < 1e-13
    assert report.forward_passes < 10


def test_other_linear_layers(rng):
    normal = rng.standard_normal
    for pair, args in (
        ((up_conv_forward, up_conv_backward), (normal((2, 3, 4, 5)), normal((3, 2, 2, 2)), normal(2))),
        ((crop_concat_forward, crop_concat_backward), (normal((2, 3, 8, 9)), normal((2, 2, 4, 5)))),
    ):
        report = check_adjoint(*pair, args)
        assert report.ok and not report.findings, report


def test_complex_numbers_inside(rng):
    def forward(x):
        return np.fft.rfft(x).real, x.shape[-1]

    def backward(dy, n):
        dy = dy.copy()
        dy[..., 1 : (n + 1) // 2] /= 2  # irfft counts these twice
        return np.fft.irfft(dy, n) * n

    report = check_adjoint(forward, backward, (rng.standard_normal((3, 8)),))
    assert report.ok, report
    assert kinds(check_adjoint(forward, lambda dy, n: np.fft.irfft(dy, n) * n, (rng.standard_normal((3, 8)),))) == [
        "wrong"
    ]


def test_a_wrong_transpose(rng):
    def backward(dy, cache):
        dx, dweight, dbias = conv2d_backward(dy, cache)
        return dx, dweight[:, :, ::-1, ::-1], 2 * dbias

    args = conv_args(rng)
    assert check_adjoint(conv2d_forward, backward, args, "x").ok
    report = check_adjoint(conv2d_forward, backward, args, "weight")
    assert kinds(report) == ["wrong"] and report.findings[0].argument == "weight", report
    assert "flipped" in str(report)
    report = check_adjoint(conv2d_forward, backward, args, "bias")
    assert "2 times" in str(report) and "(4 of 4)" in str(report), report


@pytest.mark.parametrize("shape, index", [((3, 4), (2, 1)), ((300, 400), (123, 321))])
def test_one_wrong_element_is_found_and_named(rng, shape, index):
    report = check_adjoint(*times_two_off_at(*index), (rng.standard_normal(shape),))
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.index) == ("wrong", "x", index)
    assert finding.analytic == pytest.approx(1.0001 * finding.numeric, rel=1e-9)
    assert report.forward_passes < 60


def test_an_argument_that_is_a_tree(rng):
    def forward(params, x):
        return x @ params["w"] + params["b"], x

    def backward(dy, x):
        return {"w": x.T @ dy, "b": dy.sum(0)}

    args = {"w": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}, rng.standard_normal((5, 4))
    both = lambda dy, x: (backward(dy, x), 0 * x)  # noqa: E731
    assert check_adjoint(forward, both, args, "params").ok
    assert check_adjoint(forward, both, args, "params.w").ok
    assert not check_adjoint(forward, both, args, "x").ok
    halved = lambda dy, x: ({"w": x.T @ dy, "b": dy.mean(0)}, 0 * x)  # noqa: E731
    report = check_adjoint(forward, halved, args, "params")
    assert report.findings[0].argument == "params.b", report


@pytest.mark.parametrize("place", range(10))
def test_each_element_of_a_tree_is_found_where_it_is(rng, place):
    args = ({"w": rng.standard_normal((2, 3)), "b": rng.standard_normal(4)},)

    def backward(dy, cache):
        gradient = dy.copy()
        gradient[place] += 0.5
        return {"w": gradient[:6].reshape(2, 3), "b": gradient[6:]}

    report = check_adjoint(lambda p: (np.concatenate([p["w"].ravel(), p["b"]]), None), backward, args)
    (finding,) = report.findings
    expected = ("p.w", (place // 3, place % 3), 1, 6) if place < 6 else ("p.b", (place - 6,), 1, 4)
    assert (finding.argument, finding.index, finding.count, finding.total) == expected
    assert finding.analytic == pytest.approx(finding.numeric + 0.5)
    assert finding.numeric == pytest.approx(report.dy[place])
    assert [(row.argument, row.shape, row.compared) for row in report.rows] == [("p", (10,), 2)]
    assert report.rows[0].error > 1e-3
    assert "<A u, dy> is " in finding.hint and "differs from it by " in finding.hint


def test_where_many_are_wrong_the_worst_half_is_looked_into(rng):
    error = np.zeros(800)
    error[[3, 555]] = 1e-6, 1.0
    x = rng.standard_normal(800)
    (finding,) = check_adjoint(lambda x: (x.copy(), None), lambda dy, cache: dy + error, (x,)).findings
    assert finding.index == (555,) and finding.analytic == pytest.approx(finding.numeric + 1)
    assert finding.hint.endswith("Compare this element with the equation.")


def test_dy_and_the_generator_may_be_given(rng):
    x, dy = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    pair = lambda x: (2 * x, None), lambda dy, cache: 2 * dy
    report = check_adjoint(*pair, (x,), dy=dy)
    np.testing.assert_array_equal(report.dy, dy)
    assert report.ok and report.dy_from.startswith("seed ")
    first, again = (check_adjoint(*pair, (x,), rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.dy, again.dy)
    assert first.dy_from == "" and (first.dy != dy).all()


def test_what_the_adjoint_test_cannot_take(rng):
    x = rng.standard_normal(3)
    with pytest.raises(InputError, match="forward must return floating-point numbers at these args, got bool;"):
        check_adjoint(lambda x: (x > 0, None), lambda dy, cache: dy, (x,))
    with pytest.raises(InputError, match="argument must be the name of an argument, got 0"):
        check_adjoint(lambda x: (2 * x, None), lambda dy, cache: 2 * dy, (x,), 0)


def test_a_function_that_is_not_linear(rng):
    report = check_adjoint(relu_forward, relu_backward, (rng.standard_normal((2, 3)),))
    assert kinds(report) == ["nonlinear"] and "Use gradcheck" in str(report), report
    report = check_adjoint(lambda x: (3 * x + 1e-7 * x**2, x), lambda dy, x: 3 * dy, (rng.standard_normal(9),))
    assert kinds(report) == ["nonlinear"] and "so forward is not linear in it" in " ".join(str(report).split()), report


def test_a_constant_that_is_added_and_large_does_no_harm(rng):
    x = rng.standard_normal(9)
    assert check_adjoint(lambda x: (2 * x + 1e3, None), lambda dy, cache: 2 * dy, (x,)).ok
    assert not check_adjoint(lambda x: (2 * x + 1e3, None), lambda dy, cache: 2.0001 * dy, (x,)).ok


def test_a_function_that_does_not_depend_on_the_argument(rng):
    report = check_adjoint(lambda x: (0 * x, None), lambda dy, _: 0 * dy, (rng.standard_normal((2, 3)),))
    assert kinds(report) == ["vacuous"]


def test_an_unknown_argument(rng):
    with pytest.raises(InputError, match=r"\(x, weight, bias\), got 'w'"):
        check_adjoint(conv2d_forward, conv2d_backward, conv_args(rng), "w")


def test_a_backward_pass_that_writes_into_dy(rng):
    def backward(dy, cache):
        dy *= 2
        return dy

    assert kinds(check_adjoint(lambda x: (2 * x, None), backward, (rng.standard_normal((2, 3)),))) == ["mutated"]
