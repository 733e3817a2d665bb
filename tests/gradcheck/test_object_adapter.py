"""Layer objects as pairs: the right ones of `course_layers.py` pass, the wrong ones fail for the right reason."""

import copy

import numpy as np
import pytest
from course_layers import (
    Affine,
    AffineWithMeanForSum,
    AffineWithoutBiasGradient,
    Dictionaries,
    DictionariesWithHalfTheInputGradient,
    LeavesEverything,
    LeavesTooLittle,
    ListsOfArrays,
    ListsOfArraysWithTransposedInput,
    Network,
    NetworkThatForgetsToReverse,
    Relu,
    ReluThatWritesIntoDy,
    ReturnsAllGradients,
    ReturnsAllGradientsInTheWrongOrder,
    SoftmaxLoss,
    SoftmaxLossWithoutMean,
    UpdatesItself,
    UpdatesItselfTooEarly,
    WithParameterObjects,
)

from minunet import InputError, gradcheck
from minunet.gradcheck.adapters.objects import object_pair


def found(report):
    return [(finding.kind, finding.argument) for finding in report.findings]


AFFINE = dict(parameters={"W": "dW", "b": "db"})
LISTS = dict(parameters={"params.0": "grads.0"})
DICTS = dict(parameters={"parameters.W": "gradients.W", "parameters.b": "gradients.b"})
UPDATES = dict(parameters=("weights", "bias"), learning_rate=1.0)
LEAVES = dict(parameters={"weights": "dweights"}, output="output", input_gradients="dinputs")
NETWORK = dict(parameters={"params.W1": "grads.W1", "params.b1": "grads.b1"})
RIGHT = [
    (Affine, AFFINE),
    (Relu, {}),
    (ListsOfArrays, LISTS),
    (Dictionaries, DICTS),
    (Dictionaries, DICTS | dict(reset="flush_gradients")),
    (UpdatesItself, UPDATES),
    (LeavesEverything, LEAVES),
    (WithParameterObjects, dict(parameters={"scale.value": "scale.grad"})),
    (WithParameterObjects, dict(parameters={"params.scale.value": "params.scale.grad"})),
    (ReturnsAllGradients, dict(parameters=("W", "b"))),
    (Network, NETWORK),
    (Network, dict(parameters={"layers.0.W": "grads.W1", "layers.0.b": "layers.0.db"})),
]
WRONG = [
    (AffineWithoutBiasGradient, AFFINE, ("shape", "layer.b"), "No gradient came back"),
    (AffineWithMeanForSum, AFFINE, ("wrong", "layer.b"), "sum for a mean"),
    (ReluThatWritesIntoDy, {}, ("mutated", "dy"), "wrote into it"),
    (ListsOfArraysWithTransposedInput, LISTS, ("wrong", "layer.params.0"), ""),
    (DictionariesWithHalfTheInputGradient, DICTS, ("wrong", "x"), "0.5 times"),
    (UpdatesItselfTooEarly, UPDATES, ("wrong", "x"), ""),
    (LeavesTooLittle, LEAVES, ("wrong", "inputs"), "zero"),
    (ReturnsAllGradientsInTheWrongOrder, dict(parameters=("W", "b")), ("shape", "layer.W"), "order"),
]


def make(kind, rng):
    return kind(rng) if kind.__init__ is not object.__init__ else kind()


@pytest.mark.parametrize("kind, options", RIGHT, ids=[kind.__name__ for kind, _ in RIGHT])
@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_right_layers(rng, kind, options, mode):
    report = gradcheck(*object_pair(make(kind, rng), (rng.standard_normal((5, 4)),), **options), mode=mode)
    assert report.ok and not report.findings, report
    if mode == "elements":
        assert all(row.compared == np.prod(row.shape) for row in report.rows), report


@pytest.mark.parametrize("kind, options, expected, words", WRONG, ids=[case[0].__name__ for case in WRONG])
def test_wrong_layers(rng, kind, options, expected, words):
    report = gradcheck(*object_pair(make(kind, rng), (rng.standard_normal((5, 4)),), **options))
    assert not report.ok
    assert expected in found(report), report
    assert words in " ".join(str(report).split())


def test_a_network_that_skips_a_layer_backwards(rng):
    options = dict(parameters={"layers.0.W": "layers.0.dW", "layers.0.b": "layers.0.db"})
    report = gradcheck(*object_pair(NetworkThatForgetsToReverse(rng), (rng.standard_normal((5, 4)),), **options))
    assert {("wrong", "x"), ("wrong", "layer.layers.0.W"), ("wrong", "layer.layers.0.b")} <= set(found(report)), report


def test_losses(rng):
    args = rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    assert gradcheck(*object_pair(SoftmaxLoss(), args)).ok
    report = gradcheck(*object_pair(SoftmaxLossWithoutMean(), args))
    assert found(report) == [("wrong", "scores")] and "5 times" in str(report), report


def test_the_layer_stays_as_it_is(rng):
    layer = Dictionaries(rng)
    layer.forward(rng.standard_normal((5, 4)))
    layer.backward(rng.standard_normal((5, 3)))
    before = copy.deepcopy(vars(layer))
    options = DICTS | dict(reset="flush_gradients")
    assert gradcheck(*object_pair(layer, (rng.standard_normal((2, 4)),), **options)).ok
    np.testing.assert_equal(vars(layer), before)


def test_mistakes_in_the_names(rng):
    layer, x = Affine(rng), rng.standard_normal((5, 4))
    with pytest.raises(InputError, match=r"'w' is not in the layer.*there are W, b"):
        object_pair(layer, (x,), {"w": "dW"})
    with pytest.raises(InputError, match=r"'dw' is not in the layer"):
        gradcheck(*object_pair(layer, (x,), {"W": "dw"}))
    with pytest.raises(InputError, match="must be a tuple"):
        object_pair(layer, x)
    layer.b = None
    with pytest.raises(InputError, match="run one before the check"):
        object_pair(layer, (x,), {"b": "db"})


def test_a_parameter_that_is_computed_anew_each_time(rng):
    class Computed(Affine):
        @property
        def doubled(self):
            return 2 * self.W

    with pytest.raises(InputError, match="name the array that it comes from"):
        gradcheck(*object_pair(Computed(rng), (rng.standard_normal((5, 4)),), {"doubled": "dW"}))


def test_a_layer_that_cannot_be_copied(rng):
    layer = Affine(rng)
    layer.log = iter(open(__file__))
    try:
        with pytest.raises(InputError, match=r"copy\.deepcopy failed"):
            gradcheck(*object_pair(layer, (rng.standard_normal((5, 4)),), **AFFINE))
    finally:
        layer.log.close()
