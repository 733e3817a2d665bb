"""The looks that settle a case at once, and what they must leave to the looks after them."""

import importlib

import numpy as np
import pytest
from zoo.large import LAYERS

from minunet import gradcheck

directions, pair, quick, slopes = (
    importlib.import_module(f"minunet.gradcheck.{name}") for name in ("directions", "pair", "quick", "slopes")
)


def squares(kink=0.0):
    """Return squares, of which the first bends at 0, where its slopes are `kink` and `-kink`."""

    def forward(x):
        y = x * x
        y[0] += kink * abs(x[0])
        return y, x

    return forward, lambda dy, x: 2 * dy * x


def quick_look_at(forward, backward):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(20_000)
    x[0] = 0.0
    dy = rng.standard_normal(x.size)
    dy[0] = 1.0
    examined = pair.Pair(forward, backward, (x,))
    analytic, _ = examined.examine_backward(dy)
    probe = slopes.Probe(examined, examined.y, dy, 4 * slopes.EPS)
    return quick.quick_look(probe, directions.along(examined.leaves, {"x": np.ones_like(x)}, analytic))


def test_the_first_look_settles_a_smooth_function_but_not_one_with_a_small_kink():
    assert quick_look_at(*squares()).kind == "agreement"
    assert quick_look_at(*squares(kink=1e-5)) is None  # 7e-8 of the slope: it shows in the gap between the two sides


def test_kinks_that_cancel_in_the_sum_are_reported():
    """Two outputs bend, one weighs as much as the other in dy, and against it: only the outputs' bends show it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    x[0] = 0.0
    dy = np.append(rng.standard_normal(50), [1.0, -1.0])
    report = gradcheck(
        lambda x: (np.concatenate([x * x, [abs(x[0])] * 2]), x),
        lambda dy, x: 2 * dy[:50] * x,
        (x,),
        dy=dy,
        mode="directions",
    )
    assert [(finding.kind, finding.count) for finding in report.findings] == [("kink", 2)], report


@pytest.mark.parametrize(
    ("seed", "loss", "error"), [(0, 100, 5.6e-6), pytest.param(1, 1000, 5.6e-5, marks=pytest.mark.slow)]
)
def test_an_error_that_rounding_hides_at_the_first_step_is_found_at_a_larger_one(seed, loss, error):
    """The loss is so much larger than its gradients that the first slope is off by more than the error."""
    x, target = np.random.default_rng(seed).standard_normal((2, 40, 10))

    def backward(dloss, difference):
        gradient = dloss * 2 * difference / difference.size
        gradient[7, 3] *= 1 + error
        return gradient, -dloss * 2 * difference / difference.size

    report = gradcheck(
        lambda x, target: (loss + ((x - target) ** 2).mean(), x - target), backward, (x, target), seed=seed
    )
    assert [(f.kind, f.argument, f.index) for f in report.findings] == [("wrong", "x", (7, 3))]


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("name", ["multi-head attention", "attention", "causal attention"])
@pytest.mark.parametrize("scale", [1e2, 1e3, 1e4, 1e6])
def test_saturated_attention_is_vacuous_and_not_quantised(name, scale, mode):
    (layer,) = [layer for layer in LAYERS if layer.name == name]
    args = tuple(scale * x if getattr(x, "dtype", None) == np.float64 else x for x in layer.args)
    report = gradcheck(layer.forward, layer.backward, args, mode=mode, seed=0)
    assert {finding.kind for finding in report.findings} == {"vacuous"}, report


def test_a_single_argument_is_named_in_the_table(rng):
    forward, backward = squares()
    report = gradcheck(forward, backward, (rng.standard_normal((30, 100)),), mode="directions")
    assert [(row.argument, row.shape) for row in report.rows] == [("x", (30, 100))]
    both = gradcheck(lambda x, w: (x * w, (x, w)), lambda dy, c: (dy * c[1], dy * c[0]), (np.ones(3), np.ones(3)),
                     mode="directions")  # fmt: skip
    assert both.rows[0].argument == "all 2 jointly"


def test_a_mistake_in_a_large_argument_is_located_in_few_passes(rng):
    """Element by element, an image of 44x44 would take 4,000 passes."""
    weight = rng.standard_normal((44, 44))
    report = gradcheck(
        lambda x: (np.tanh(weight @ x), np.tanh(weight @ x)),
        lambda dy, y: 1.1 * weight.T @ (dy * (1 - y * y)),
        (rng.standard_normal((44, 44)) / 44,),
        mode="directions",
    )
    assert [finding.kind for finding in report.findings] == ["wrong"]
    assert report.forward_passes < 400
