"""Right pairs at scales where rounding hides what others show, and the smallest errors beside them."""

import numpy as np
import pytest
from zoo.large import LAYERS

from minunet import Constant, gradcheck
from minunet.errors import InputError
from minunet.gradcheck.arguments import Arguments
from minunet.gradcheck.snapshot import LARGE, Snapshot

MODES = ("elements", "directions")


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    return y, y


def sigmoid_backward(dy, y):
    return dy * y * (1 - y)


def attention(q, k):
    scores = q @ k.T
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p @ k, (q, k, p)


def attention_backward(dy, cache):
    q, k, p = cache
    dp = dy @ k.T
    ds = p * (dp - (dp * p).sum(1, keepdims=True))
    return ds @ k, ds.T @ q + p.T @ dy


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0])
def test_sigmoid_and_attention_are_right_at_any_scale(rng, scale, mode):
    assert gradcheck(sigmoid, sigmoid_backward, (scale * rng.standard_normal((3, 7)),), mode=mode)
    args = tuple(scale * rng.standard_normal((4, 3)) for _ in range(2))
    report = gradcheck(attention, attention_backward, args, mode=mode)
    assert {finding.kind for finding in report.findings} <= {"vacuous"}  # q hardly changes y at 1e-8


@pytest.mark.parametrize("mode", MODES)
def test_sigmoid_that_is_wrong_is_found_at_a_tiny_scale(rng, mode):
    x = 1e-8 * rng.standard_normal((3, 7))
    report = gradcheck(sigmoid, lambda dy, y: 1.01 * dy * y * (1 - y), (x,), mode=mode)
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("wrong", "x")]


@pytest.mark.parametrize("mode", MODES)
def test_saturated_function_is_vacuous_and_not_quantised(rng, mode):
    report = gradcheck(
        lambda x: (np.tanh(x), np.tanh(x)), lambda dy, y: dy * (1 - y * y), (1e4 * rng.standard_normal(9),), mode=mode
    )
    assert [finding.kind for finding in report.findings] == ["vacuous"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-8, 1e3])
@pytest.mark.parametrize("name", ["LSTM cell", "GRU cell", "attention", "contrastive loss", "triplet loss"])
def test_right_layers_of_the_zoo_raise_no_false_alarm_at_extreme_scales(name, scale, mode):
    (layer,) = [layer for layer in LAYERS if layer.name == name]
    args = tuple(scale * x if getattr(x, "dtype", None) == np.float64 else x for x in layer.args)
    report = gradcheck(layer.forward, layer.backward, args, mode=mode, seed=0)
    assert {finding.kind for finding in report.findings} <= {"vacuous", "kink"}  # saturated, or below the last digit


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["recurrent layer", "LSTM over time", "GRU cell", "tanh"])
def test_saturated_layers_are_vacuous_and_no_cast(name, mode):
    (layer,) = [layer for layer in LAYERS if layer.name == name]
    args = tuple(1e6 * x if getattr(x, "dtype", None) == np.float64 else x for x in layer.args)
    report = gradcheck(layer.forward, layer.backward, args, mode=mode, seed=0)
    assert {finding.kind for finding in report.findings} == {"vacuous"}, report


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [1, 3, 7])
def test_straight_through_rounding_is_called_quantised(rng, bits, mode):
    levels = 2.0**bits
    report = gradcheck(
        lambda x: (np.round(x * levels) / levels, None), lambda dy, cache: dy, (rng.standard_normal((3, 4)),), mode=mode
    )
    assert [finding.kind for finding in report.findings] == ["precision"]
    assert "quantised" in report.findings[0].hint


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_cast_is_not_called_quantised(rng, dtype, mode):
    report = gradcheck(
        lambda x: (x.astype(dtype).astype(np.float64), None),
        lambda dy, cache: dy,
        (rng.standard_normal((9, 4)),),
        mode=mode,
    )
    assert [finding.kind for finding in report.findings] == ["precision"]
    assert "casts" in report.findings[0].hint


@pytest.mark.parametrize("x", [[0.0, 5e-324, 1e-310, 1.0, -2.0], [0.0, 1e-30, -1e-20, 1.0, -2.0]])
def test_relu_at_zeros_and_tiny_numbers(x):
    assert gradcheck(lambda x: (np.maximum(x, 0), x > 0), lambda dy, mask: dy * mask, (np.array(x),))


@pytest.mark.parametrize("error", [3e-6, 1e-5])
def test_small_error_in_one_element_of_a_loss(rng, error):
    """The loss is much larger than its gradients, so rounding hides the error at the first step."""
    x, target = rng.standard_normal((2, 40, 10))

    def backward(dloss, difference):
        gradient = dloss * 2 * difference / difference.size
        gradient[7, 3] *= 1 + error
        return gradient, -dloss * 2 * difference / difference.size

    report = gradcheck(
        lambda x, target: (10 + ((x - target) ** 2).mean(), x - target), backward, (x, target), mode="elements"
    )
    assert [(f.kind, f.argument, f.index) for f in report.findings] == [("wrong", "x", (7, 3))]


def test_smooth_right_pair_takes_few_passes_along_directions(rng):
    report = gradcheck(attention, attention_backward, tuple(rng.standard_normal((2, 4, 3))), mode="directions")
    assert report.ok
    assert report.forward_passes <= 12
    assert report.rows[0].compared == 3


def test_single_kink_at_the_point_among_many_elements_is_reported(rng):
    x = rng.standard_normal(5000)
    x[11] = 0.0
    report = gradcheck(lambda x: (np.abs(x), np.sign(x)), lambda dy, sign: dy * sign, (x,), mode="directions")
    assert "kink" in {finding.kind for finding in report.findings}


def constant_names(annotation):
    def forward(x, t):
        return x * t, t

    forward.__annotations__["t"] = annotation
    return Arguments(forward, (np.ones(2), np.ones(2))).constants


@pytest.mark.parametrize(
    "annotation", [Constant, Constant | None, "Constant", "Optional[Constant]", "minunet.Constant | None"]
)
def test_constant_is_known_in_optional_too(annotation):
    assert constant_names(annotation) == {"t"}


@pytest.mark.parametrize("annotation", [float | None, "Constants", "dict[str, Constant]", "list[Constant]"])
def test_other_annotations_are_no_constants(annotation):
    assert constant_names(annotation) == set()


@pytest.mark.parametrize("size", [8, LARGE])
def test_snapshot_sees_a_change_and_a_permutation(size):
    x = np.arange(size, dtype=np.float64)
    snapshot = Snapshot(x)
    assert snapshot.is_still(x)
    x[:] = x[::-1].copy()
    assert not snapshot.is_still(x)
    x[:] = x[::-1].copy()
    assert snapshot.is_still(x)
    x[5] += 1e-9
    assert not snapshot.is_still(x)


def test_large_cache_that_is_written_into_is_reported(rng):
    def backward(dy, x):
        gradient = 2 * dy * x
        x[-1] = 0
        return gradient

    report = gradcheck(lambda x: (x * x, x.copy()), backward, (rng.standard_normal(LARGE // 8 + 1),))
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("mutated", "cache")]


def test_forward_outside_its_domain_is_still_refused():
    def forward(p):
        if abs(p.sum() - 1) > 1e-12:
            raise ValueError("p must sum to 1")
        return p * p, p

    with pytest.raises(InputError, match="p must sum to 1"):
        gradcheck(forward, lambda dy, p: 2 * dy * p, (np.array([0.2, 0.3, 0.5]),), mode="directions")


def test_a_gradient_of_more_digits_than_float64_is_right():
    x = np.random.default_rng(0).standard_normal((3, 4))
    report = gradcheck(lambda x: (x**2, x), lambda dy, x: (2 * dy * x).astype(np.longdouble), (x,))
    assert report.ok, report
