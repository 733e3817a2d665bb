"""Layers and the whole network equal what PyTorch computed once, frozen in tests/layers/references; PyTorch is not
needed."""

from pathlib import Path

import numpy as np
import pytest

import minunet as m

FOLDER = Path(__file__).parent / "references"
CONV = (m.conv2d_forward, m.conv2d_backward, ("x", "weight", "bias"))
PAIRS = {
    "conv2d_3x3": CONV,
    "conv2d_1x1": CONV,
    "conv2d_2x5": CONV,
    "relu": (m.relu_forward, m.relu_backward, ("x",)),
    "max_pool": (m.max_pool_forward, m.max_pool_backward, ("x",)),
    "up_conv": (m.up_conv_forward, m.up_conv_backward, ("x", "weight", "bias")),
    "crop_concat": (m.crop_concat_forward, m.crop_concat_backward, ("skip", "x")),
    "loss": (m.softmax_cross_entropy_forward, m.softmax_cross_entropy_backward, ("logits", "labels", "weights")),
}


def load(name):
    with np.load(FOLDER / f"{name}.npz") as archive:
        return dict(archive)


def assert_close(actual, expected):
    """Equal to 1e-10 of the largest number."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert np.abs(actual - expected).max() <= 1e-10 * np.abs(expected).max()


def unflatten(names):
    """Return the nested dicts and lists that `flatten` took apart."""
    tree = {}
    for name, array in names.items():
        branch = tree
        *path, leaf = name.split(".")
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = array
    return {name: list(tree[name].values()) if name in ("encode", "decode") else tree[name] for name in tree}


@pytest.mark.parametrize("name", PAIRS)
def test_layer_equals_pytorch(name):
    forward, backward, arguments = PAIRS[name]
    reference = load(name)
    y, cache = forward(*[reference[argument] for argument in arguments])
    gradients = backward(reference["dy"], cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    expected = [reference[f"d{argument}"] for argument in arguments if f"d{argument}" in reference]
    assert_close(y, reference["y"])
    for gradient, frozen in zip(gradients, expected, strict=True):
        assert_close(gradient, frozen)


def test_network_and_every_gradient_equal_pytorch():
    reference = load("unet")
    params = unflatten({name[7:]: array for name, array in reference.items() if name.startswith("params.")})
    logits, cache = m.unet_forward(params, reference["x"])
    grads, dx = m.unet_backward(reference["dy"], cache, with_dx=True)
    assert_close(logits, reference["y"])
    assert_close(dx, reference["dx"])
    grads = m.flatten(grads)
    assert {f"grads.{name}" for name in grads} == {name for name in reference if name.startswith("grads.")}
    for name, gradient in grads.items():
        assert_close(gradient, reference[f"grads.{name}"])


@pytest.mark.parametrize("name", [*PAIRS, "unet"])
def test_references_are_float64_and_not_trivial(name):
    reference = load(name)
    for key in set(reference) - {"labels", "made_by"}:
        assert reference[key].dtype == np.float64 and reference[key].any(), key
