"""Beyond minunet's own layers: every right pair passes, and every mistake is found where it is."""

import copy
import inspect

import numpy as np
import pytest
from zoo.large import LAYERS

from minunet import gradcheck

BUGS = [(layer, name) for layer in LAYERS for name in layer.bugs]
ONE_A_LAYER = [(layer, next(iter(layer.bugs))) for layer in LAYERS]


def name_of(value):
    return getattr(value, "name", value)


def upstream(layer) -> np.ndarray:
    y, _ = layer.forward(*copy.deepcopy(layer.args))
    return np.array(np.random.default_rng(1).standard_normal(np.shape(y)))


def check(layer, backward, mode):
    return gradcheck(layer.forward, backward, layer.args, dy=upstream(layer), mode=mode)


def gradients_by_name(layer, backward) -> dict[str, np.ndarray]:
    """Return what `backward` returns, by the name of the argument that it is meant for."""
    _, cache = layer.forward(*copy.deepcopy(layer.args))
    gradients = backward(upstream(layer), cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return dict(zip(floating_arguments(layer), gradients, strict=True))


def floating_arguments(layer) -> dict[str, np.ndarray]:
    arguments = zip(inspect.signature(layer.forward).parameters, layer.args, strict=False)
    return {name: x for name, x in arguments if getattr(x, "dtype", None) == np.float64}


def really_wrong(layer, bug) -> dict[str, np.ndarray]:
    """Return the arguments whose gradient is not the right one, with a mask of the elements that differ."""
    masks = {}
    right = gradients_by_name(layer, layer.backward)
    for name, gradient in gradients_by_name(layer, bug.backward).items():
        if gradient.shape != right[name].shape:
            masks[name] = np.ones(right[name].shape, bool)
        else:
            masks[name] = ~np.isclose(gradient, right[name], rtol=1e-9, atol=1e-12)
    return {name: mask for name, mask in masks.items() if mask.any()}


def findings_of(report, kind):
    return [finding for finding in report.findings if finding.kind == kind]


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_right_pair_passes(layer, mode):
    report = check(layer, layer.backward, mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_right_pair_passes_where_arguments_are_a_thousandth(layer):
    small = [x / 1000 if getattr(x, "dtype", None) == np.float64 else x for x in layer.args]
    report = gradcheck(layer.forward, layer.backward, tuple(small), mode="elements")
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_one_element_off_by_a_hundred_thousandth_is_found(layer):
    def backward(dy, cache):
        gradients = layer.backward(dy, cache)
        if isinstance(gradients, tuple):
            return tuple(map(with_one_element_off, gradients))
        return with_one_element_off(gradients)

    report = check(layer, backward, "elements")
    expected = [("wrong", argument, 1) for argument in floating_arguments(layer)]
    assert [(finding.kind, finding.argument, finding.count) for finding in report.findings] == expected, report


def with_one_element_off(gradient):
    """Return a copy whose largest element is 1e-5 of itself too large."""
    gradient = np.array(gradient, order="C")
    gradient.reshape(-1)[np.abs(gradient).argmax()] *= 1 + 1e-5
    return gradient


@pytest.mark.parametrize("layer, name", BUGS, ids=name_of)
def test_mistake_is_found_where_it_is(layer, name):
    bug = layer.bugs[name]
    report = check(layer, bug.backward, "elements")
    findings = findings_of(report, bug.kind)
    assert not report.ok and bug.argument in [finding.argument for finding in findings], report
    if bug.kind == "wrong":
        off = really_wrong(layer, bug)
        assert {finding.argument for finding in findings} == set(off), report
        assert all(off[finding.argument][finding.index] for finding in findings), report


@pytest.mark.parametrize("layer, name", ONE_A_LAYER, ids=name_of)
def test_mistake_is_found_by_directions(layer, name):
    bug = layer.bugs[name]
    report = check(layer, bug.backward, "directions")
    findings = findings_of(report, bug.kind)
    assert not report.ok and findings, report
    if bug.kind == "wrong":  # one wrong argument is named, and one of its wrong elements
        assert really_wrong(layer, bug)[findings[0].argument][findings[0].index], report


@pytest.mark.parametrize("layer, name", BUGS, ids=name_of)
def test_mistake_is_as_declared(layer, name):
    bug = layer.bugs[name]
    if bug.kind == "mutated":
        return
    off = really_wrong(layer, bug)
    assert bug.argument in off
    if bug.region is not None:
        allowed = np.zeros(off[bug.argument].shape, bool)
        allowed[bug.region] = True
        assert not (off[bug.argument] & ~allowed).any()


def test_the_zoo_is_large():
    assert len(LAYERS) >= 40 and len(LAYERS) + len(BUGS) >= 150
    assert len({layer.name for layer in LAYERS}) == len(LAYERS)
    assert all(2 <= len(layer.bugs) <= 5 for layer in LAYERS)
