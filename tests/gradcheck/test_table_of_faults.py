"""Pairs that strangers bring: what gradcheck once got wrong about each kind, with the right verdict, in both modes."""

import dataclasses
import threading
from collections import namedtuple

import numpy as np
import pytest
import scipy.sparse

from minunet import (
    Constant,
    InputError,
    Report,
    gradcheck,
    max_pool_backward,
    max_pool_forward,
    relu_backward,
    relu_forward,
)

MODES = ["elements", "directions"]
rng = np.random.default_rng(1)
x = rng.standard_normal((4, 5))
other = rng.standard_normal((4, 5))
buffer = np.zeros((4, 5))
Two = namedtuple("Two", "a b")


def kinds(report):
    return sorted({finding.kind for finding in report.findings})


def mode_of(function):
    return pytest.mark.parametrize("mode", MODES)(function)


def crop_backward(dy, cache):
    dx = np.zeros((4, 5))
    dx[1:3, 1:4] = dy
    return dx


def every_second_backward(dy, cache):
    dx = np.zeros((4, 5))
    dx[::2] = dy
    return dx


VIEWS = {
    "identity": (lambda x: (x, None), lambda dy, cache: dy),
    "transpose": (lambda x: (x.T, None), lambda dy, cache: dy.T),
    "flatten": (lambda x: (x.reshape(-1), None), lambda dy, cache: dy.reshape(4, 5)),
    "crop": (lambda x: (x[1:3, 1:4], None), crop_backward),
    "every second row": (lambda x: (x[::2], None), every_second_backward),
    "broadcast": (lambda x: (np.broadcast_to(x, (3, 4, 5)), None), lambda dy, cache: dy.sum(0)),
    "reused buffer": (lambda x: (np.multiply(x, 2, out=buffer), None), lambda dy, cache: 2 * dy),
}


@mode_of
@pytest.mark.parametrize("name", VIEWS)
def test_output_that_shares_memory_with_the_argument_is_right(name, mode):
    report = gradcheck(*VIEWS[name], (x,), mode=mode)
    assert report and not report.findings, report


small_p = rng.random(20)
small_p[3] = 1e-9
beside_one = np.array([1.0, 3e-6, 0.5, 2.0])
SCALES = {
    "-log of a small p": (lambda p: (-np.log(p), p), lambda dy, p: -dy / p, small_p),
    "log at 3e-6 beside 1": (lambda p: (np.log(p), p), lambda dy, p: dy / p, beside_one),
    "sqrt at 1e-6": (lambda p: (np.sqrt(p), p), lambda dy, p: dy / 2 / np.sqrt(p), np.array([1e-6, 1, 2])),
    "exp at -20 beside 15": (lambda t: (np.exp(t), np.exp(t)), lambda dy, y: dy * y, np.array([-20.0, 15, 3])),
    "square at 1e80": (lambda t: (t * t, t), lambda dy, t: 2 * t * dy, 1e80 * x),
    "3x at 1e-200": (lambda t: (3 * t, None), lambda dy, cache: 3 * dy, 1e-200 * x),
    "3x at 1e200 beside 1": (lambda t: (3 * t, None), lambda dy, cache: 3 * dy, np.array([1e200, 1, 2])),
}


@mode_of
@pytest.mark.parametrize("name", SCALES)
def test_step_suits_each_element(name, mode):
    forward, backward, argument = SCALES[name]
    report = gradcheck(forward, backward, (argument,), mode=mode)
    assert report and not report.findings, report


@pytest.mark.parametrize("name", SCALES)
def test_one_percent_off_in_one_element_is_found_at_any_scale(name):
    forward, backward, argument = SCALES[name]

    def off(dy, cache):
        dx = backward(dy, cache)
        dx.reshape(-1)[1 if name.startswith("log") else 0] *= 1.01
        return dx

    (finding,) = gradcheck(forward, off, (argument,), dy=np.ones(argument.shape), mode="elements").findings
    assert finding.kind == "wrong" and finding.count == 1


def test_square_that_overflows_is_nonfinite():
    with np.errstate(over="ignore"):
        report = gradcheck(lambda t: (t * t, t), lambda dy, t: 2 * t * dy, (np.array([1e200, 1.0]),))
    assert kinds(report) == ["nonfinite"]


# Kinks, and checks that prove nothing.


NOTHING_COMPARED = {
    "pool": (max_pool_forward, lambda dy, cache: 0 * max_pool_backward(dy, cache), np.ones((1, 2, 4, 6))),
    "pool, dy to all": (max_pool_forward, lambda dy, cache: dy.repeat(2, 2).repeat(2, 3), np.ones((1, 2, 4, 6))),
    "relu": (relu_forward, lambda dy, cache: 0 * dy, np.zeros((3, 4))),
}


@pytest.mark.parametrize("name", NOTHING_COMPARED)
def test_every_element_at_a_kink_is_vacuous(name):
    forward, backward, argument = NOTHING_COMPARED[name]
    report = gradcheck(forward, backward, (argument,), mode="elements")
    assert kinds(report) == ["kink", "vacuous"] and report.findings[-1].argument == "x", report
    assert report.rows[0].compared == 0 and "too small to compare" in str(report)


@mode_of
def test_relu_at_zeros_and_subnormals_is_ok(mode):
    report = gradcheck(relu_forward, relu_backward, (np.array([0.0, 5e-324, -5e-324, 1e-310, 1, 2, -1]),), mode=mode)
    assert report and kinds(report) == ["kink"], report


@mode_of
def test_slope_that_is_no_slope_of_the_kink_is_wrong(mode):
    def five_at_zero(dy, cache):
        return np.where(at == 0, 5 * dy, relu_backward(dy, cache))

    at = np.array([1.0, 0, -1, 2])
    report = gradcheck(relu_forward, five_at_zero, (at,), mode=mode)
    (finding,) = report.findings
    assert (finding.kind, finding.index) == ("wrong", (1,)), report
    assert "neither" in finding.hint


@mode_of
def test_abs_at_0_with_slope_0_is_reported_as_a_kink(mode):
    report = gradcheck(lambda t: (np.abs(t), np.sign(t)), lambda dy, s: dy * s, (np.array([0.0, 1, -2, 0]),), mode=mode)
    assert report and kinds(report) == ["kink"], report


def test_many_kinks_are_capped_and_the_report_says_so():
    report = gradcheck(relu_forward, relu_backward, (np.eye(40, 50),))
    assert report.ok and report.forward_passes < 5000
    assert report.findings[0].count == 1960 and "40 of them were looked into" in report.findings[0].hint


@mode_of
def test_step_counter_in_the_cache_is_no_kink(mode):
    calls = []

    def forward(t):
        calls.append(1)
        return t * t, (t, np.array([len(calls)]))

    assert kinds(gradcheck(forward, lambda dy, cache: 3 * cache[0] * dy, (x,), mode=mode)) == ["wrong"]


@mode_of
def test_slope_a_million_million_times_smaller_than_its_neighbour(mode):
    def forward(a, b):
        return a + 1e-12 * b, None

    args = x[0], x[1]
    assert gradcheck(forward, lambda dy, cache: (dy, 1e-12 * dy), args, mode=mode)
    report = gradcheck(forward, lambda dy, cache: (dy, 2e-12 * dy), args, mode=mode)
    assert [(f.kind, f.argument) for f in report.findings] == [("wrong", "b")], report


@mode_of
def test_vacuous_is_asked_of_each_argument(mode):
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dy, cache):
        return dy @ cache[1].T, cache[0].T @ dy

    report = gradcheck(forward, backward, (x, np.zeros((5, 2))), mode=mode)
    assert [(f.kind, f.argument) for f in report.findings] == [("vacuous", "x")], report
    twice = gradcheck(forward, lambda dy, c: (dy @ c[1].T, 2 * c[0].T @ dy), (x, np.zeros((5, 2))), mode=mode)
    assert ("wrong", "w") in [(f.kind, f.argument) for f in twice.findings], twice


# What arguments, outputs and gradients may be.


@dataclasses.dataclass
class Holder:
    w: object


def test_what_is_not_checked_is_listed():
    pixels = rng.integers(0, 9, (4, 3))
    report = gradcheck(lambda image, w: (image @ w, image), lambda dy, i: (7 * dy, i.T @ dy), (pixels, x[:3]))
    assert report and report.not_checked == {"image": "integers"} and "not checked: image (integers)" in str(report)
    report = gradcheck(lambda x, h: (x * h.w, h), lambda dy, h: dy * h.w, (x, Holder(other)))
    assert report and "Holder" in report.not_checked["h"]
    report = gradcheck(lambda x, s: (x * s, s), lambda dy, s: dy * s, (x, 1.5))
    assert report and "Python float" in report.not_checked["s"]


@mode_of
@pytest.mark.parametrize("factor", [1, 2])
def test_python_float_is_checked_if_a_gradient_comes_back_for_it(factor, mode):
    report = gradcheck(
        lambda x, s: (x * s, (x, s)), lambda dy, c: (dy * c[1], factor * float((dy * c[0]).sum())), (x, 1.5), mode=mode
    )
    assert bool(report) == (factor == 1), report


@mode_of
def test_lists_and_floats_alone(mode):
    assert gradcheck(lambda s: (s * s, s), lambda dy, s: 2 * s * dy, (1.5,), mode=mode)
    assert gradcheck(
        lambda t: (sum(v * v for v in t), t), lambda dy, t: [2 * v * dy for v in t], ([1.0, 2],), mode=mode
    )


@mode_of
@pytest.mark.parametrize("kind", [Two, lambda a, b: (a, b)], ids=["NamedTuple", "tuple"])
def test_tuple_as_only_argument(kind, mode):
    args = (kind(x, other),)
    assert gradcheck(lambda p: (p[0] * p[1], p), lambda dy, p: kind(dy * p[1], dy * p[0]), args, mode=mode)


@mode_of
def test_constant_by_annotation_or_by_name(mode):
    def annotated(x, t: Constant):
        return x * t, t

    def in_words(x: "ndarray of (N, C)", t: "minunet.Constant"):  # noqa: F722, F821
        return x * t, t

    for forward in (annotated, in_words):
        assert gradcheck(forward, lambda dy, t: (dy * t, None), (x, other), mode=mode)
    assert gradcheck(lambda x, t: (x * t, t), lambda dy, t: dy * t, (x, other), mode=mode, constant=("t",))
    with pytest.raises(InputError, match=r"constant must name arguments of forward \(x, t\), got 'q'"):
        gradcheck(annotated, lambda dy, t: dy * t, (x, other), constant=("q",))


@mode_of
@pytest.mark.parametrize("factor", [1, 2])
def test_several_outputs(factor, mode):
    def forward(x):
        return (np.sin(x), {"square": x**2}), x

    def backward(dy, x):
        return dy[0] * np.cos(x) + factor * x * dy[1]["square"]

    assert bool(gradcheck(forward, backward, (x,), mode=mode)) == (factor == 2)


@mode_of
def test_gradients_by_name(mode):
    report = gradcheck(
        lambda x, w: (x * w, (x, w)), lambda dy, c: {"w": dy * c[0], "x": dy * c[1]}, (x, other), mode=mode
    )
    assert report, report


class Sine:
    def forward(self, x):
        self.x = x
        return np.sin(x), None

    def backward(self, dy, cache):
        return dy * np.cos(self.x)


@mode_of
def test_layer_that_keeps_its_cache_on_itself(mode):
    layer = Sine()
    assert gradcheck(layer.forward, layer.backward, (x,), mode=mode)


@mode_of
@pytest.mark.parametrize("extra", [np, threading.Lock()], ids=["module", "lock"])
def test_module_or_lock_as_argument(extra, mode):
    assert gradcheck(lambda x, extra: (2 * x, None), lambda dy, cache: 2 * dy, (x, extra), mode=mode)


# Refused by name.


def cholesky_of_symmetric_only(a):
    if not (a == a.T).all():
        raise ValueError("not symmetric")
    return np.linalg.cholesky(a), a


REFUSED = {
    "stub": (lambda x: (None, x), (x,), "got None for y; is it a stub"),
    "sparse argument": (lambda x, s: (s @ x, s), (x, scipy.sparse.eye(4)), "argument s .* sparse matrix; .*toarray"),
    "complex argument": (lambda x, z: (x * z.real, z), (x, x + 1j), "argument z must be real, got complex"),
    "complex output": (lambda x: (np.fft.fft(x), None), (x,), "forward's y must be real, got complex"),
    "outside the domain": (
        cholesky_of_symmetric_only,
        (np.eye(3) + 0.1,),
        "your forward failed at a point moved by .*not",
    ),
}


@mode_of
@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_words(name, mode):
    forward, args, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        gradcheck(forward, lambda dy, cache: dy, args, mode=mode)


def test_torch_tensor_is_refused_with_the_remedy():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"argument x .* PyTorch tensor: .* adapter"):
        gradcheck(lambda x: (x, None), lambda dy, cache: dy, (torch.ones(3),))


# Bugs that come late, low precision, hints.


@mode_of
def test_bug_from_the_third_call_on(mode):
    calls = []

    def writes_later(t):
        calls.append(1)
        y = t * t
        if len(calls) > 2:
            t += 1
        return y, t.copy()

    assert "mutated" in kinds(gradcheck(writes_later, lambda dy, t: 2 * t * dy, (x,), mode=mode))

    def drifts(t):
        calls.append(1)
        return t * t + (1e-3 if len(calls) > 2 else 0), t

    calls.clear()
    assert kinds(gradcheck(drifts, lambda dy, t: 2 * t * dy, (x,), mode=mode)) == ["nondeterministic"]


def test_new_keys_in_an_argument_are_mutation():
    def forward(p):
        p["scratch"] = 1
        return 2 * p["w"], None

    assert kinds(gradcheck(forward, lambda dy, cache: {"w": 2 * dy}, ({"w": x},))) == ["mutated"]


HILBERT = 1 / (np.arange(10)[:, None] + np.arange(10) + 1.0)
below_a_step = (np.round(5 * x) + 0.499) / 5  # a small push takes some of them across it, whatever the draw
PRECISION = {
    "cast": (lambda t: ((t.astype(np.float32) ** 2).astype(float), t), lambda dy, t: 2 * t * dy, x, "casts"),
    "straight-through": (lambda t: (np.round(5 * t), None), lambda dy, cache: 5 * dy, x, "quantised"),
    "fake quantisation": (lambda t: (np.round(127 * t) / 127, None), lambda dy, cache: dy, x, "quantised"),
    "round, zero gradient": (lambda t: (np.round(5 * t), None), lambda dy, cache: 0 * dy, below_a_step, "quantised"),
    "cancellation": (lambda t: ((t + 1e8) - 1e8, None), lambda dy, cache: dy, x, "Digits are lost"),
    "Hilbert": (
        lambda a: (np.linalg.inv(a), np.linalg.inv(a)),
        lambda dy, y: -y.T @ dy @ y.T,
        HILBERT,
        "nearly singular",
    ),
}


@mode_of
@pytest.mark.parametrize("name", PRECISION)
def test_causes_of_low_precision_are_told_apart(name, mode):
    forward, backward, argument, words = PRECISION[name]
    (finding,) = gradcheck(forward, backward, (argument,), mode=mode).findings
    assert finding.kind == "precision" and words in finding.hint, finding


@mode_of
def test_swapped_gradients_of_one_shape(mode):
    def forward(a, b):
        return a * b**2, (a, b)

    report = gradcheck(forward, lambda dy, c: (2 * c[0] * c[1] * dy, dy * c[1] ** 2), (x, other), mode=mode)
    assert [(f.kind, f.argument) for f in report.findings] == [("shape", "a"), ("shape", "b")], report


@mode_of
def test_loss_that_ignores_dloss(mode):
    def backward(dloss, t):
        return 2 * t / t.size

    (finding,) = gradcheck(lambda t: (float((t**2).mean()), t), backward, (x,), mode=mode).findings
    assert "1/dloss times" in finding.hint and "is dloss used?" in finding.hint


@pytest.mark.parametrize("size, factor", [(100_000, 1e-4), pytest.param(1_000_000, 1e-5, marks=pytest.mark.slow)])
def test_one_element_of_very_many(size, factor):
    at = np.random.default_rng(3).standard_normal(size)
    index = int(np.random.default_rng(4).integers(size))

    def forward(t):
        return 1 / (1 + t * t), t

    def right_backward(dy, t):
        return -2 * t * dy / (1 + t * t) ** 2

    def backward(dy, t):
        dx = right_backward(dy, t)
        dx[index] *= 1 + factor
        return dx

    right = gradcheck(forward, right_backward, (at,))
    assert right and "would have been seen" in str(right) and right.forward_passes <= 50
    (finding,) = gradcheck(forward, backward, (at,)).findings
    assert finding.kind == "wrong" and finding.index == (index,)


# The report.


def test_report_is_true_where_it_is_ok_and_shows_the_table():
    report = gradcheck(relu_forward, lambda dy, cache: 2 * relu_backward(dy, cache), (x,), seed=7)
    assert isinstance(report, Report) and not report and repr(report) == str(report)
    assert "dy from seed 7" in str(report) and report.dy.shape == x.shape
    with pytest.raises(AssertionError):
        assert report
    assert gradcheck(relu_forward, relu_backward, (x,))
