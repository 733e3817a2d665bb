"""Layers and the whole network equal what PyTorch computed once, frozen in tests/layers/references; PyTorch is not
needed."""

from pathlib import Path

import numpy as np
import pytest

import minunet as m

FOLDER = Path(__file__).parent / "references"
LAYERS = {  # the file: the layer and its arguments
    "conv2d_3x3": ("conv2d", ("x", "weight", "bias")),
    "conv2d_1x1": ("conv2d", ("x", "weight", "bias")),
    "conv2d_2x5": ("conv2d", ("x", "weight", "bias")),
    "relu": ("relu", ("x",)),
    "max_pool": ("max_pool", ("x",)),
    "up_conv": ("up_conv", ("x", "weight", "bias")),
    "crop_concat": ("crop_concat", ("skip", "x")),
    "batch_norm": ("batch_norm", ("x", "gamma", "beta")),
    "loss": ("softmax_cross_entropy", ("logits", "labels", "weights")),
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


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_pytorch(name):
    layer, arguments = LAYERS[name]
    forward, backward = getattr(m, f"{layer}_forward"), getattr(m, f"{layer}_backward")
    reference = load(name)
    y, cache = forward(*[reference[argument] for argument in arguments])
    gradients = backward(reference["dy"], cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    expected = [reference[f"d{argument}"] for argument in arguments if f"d{argument}" in reference]
    assert_close(y, reference["y"])
    for gradient, frozen in zip(gradients, expected, strict=True):
        assert_close(gradient, frozen)


def test_network_and_every_gradient_equal_pytorch(device, monkeypatch):
    if device != "cpu":  # the reference is full of ties, which the rounding of Winograd's convolution breaks
        monkeypatch.setenv("MINUNET_CONVOLUTION", "readable")
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


@pytest.mark.parametrize("name", [*LAYERS, "unet"])
def test_references_are_float64_and_not_trivial(name):
    reference = load(name)
    for key in set(reference) - {"labels", "made_by"}:
        assert reference[key].dtype == np.float64 and reference[key].any(), key
