"""Layers, network and ten training steps equal PyTorch's, in float64, whatever the memory layout of the arrays."""

import numpy as np
import pytest

import minunet as m
from minunet.backend import map_tree
from minunet.training.optimisers import adam_step, init_moments, init_velocity, sgd_step

torch = pytest.importorskip("torch", reason="PyTorch is not installed; test_references.py has its frozen results")
F = torch.nn.functional

from minunet.cli.bench import torch_unet  # noqa: E402

torch.set_num_threads(1)  # the arrays are small: a second thread costs more than it gives

SEEDS = range(6)


def assert_close(actual, expected):
    """Equal to 1e-10 of the largest number."""
    expected = expected.detach().numpy()
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert np.abs(actual - expected).max() <= 1e-10 * np.abs(expected).max()


def leaf(array):
    """Return a fresh tensor that collects a gradient."""
    return torch.tensor(np.array(array, order="C"), requires_grad=True)


# Memory layouts: each returns an equal array that lies differently in memory.


def strided(array):
    gaps = np.full((*array.shape[:-1], 2 * array.shape[-1]), 77).astype(array.dtype)  # must never be read
    gaps[..., ::2] = array
    return gaps[..., ::2]


def negative(array):
    flip = (slice(None, None, -1),) * array.ndim
    return array[flip].copy()[flip]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "strided": strided,
    "fortran": np.asfortranarray,
    "read-only": read_only,
    "negative": negative,
}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


# Layers: arguments of random shape, and the same function in PyTorch.


def conv2d_arguments(rng):
    N, C, features = rng.integers(2, 5, 3)
    KH, KW = rng.integers(1, 6, 2)
    H, W = KH + rng.integers(0, 6), KW + rng.integers(3, 9)
    return draw(rng, N, C, H, W), draw(rng, features, C, KH, KW), draw(rng, features)


def up_conv_arguments(rng):
    N, C, features, H, W = rng.integers(2, 6, 5)
    return draw(rng, N, C, H, W), draw(rng, C, features, 2, 2), draw(rng, features)


def relu_arguments(rng):
    shape = rng.integers(2, 7, 4)
    return (draw(rng, *shape) * (rng.random(shape) < 0.8),)  # with zeros


def max_pool_arguments(rng):
    N, C, OH, OW = rng.integers(2, 6, 4)
    return (rng.integers(-2, 3, (N, C, 2 * OH, 2 * OW)).astype(float),)  # five values: ties everywhere


def crop_concat_arguments(rng):
    N, S, C, H, W = rng.integers(2, 6, 5)
    extra_rows, extra_columns = rng.integers(0, 6, 2)  # odd ones too
    return draw(rng, N, S, H + extra_rows, W + extra_columns), draw(rng, N, C, H, W)


def draw(rng, *shape):
    return rng.standard_normal(shape)


LAYERS = {
    "conv2d": (conv2d_arguments, m.conv2d_forward, m.conv2d_backward, F.conv2d),
    "relu": (relu_arguments, m.relu_forward, m.relu_backward, F.relu),
    "max_pool": (max_pool_arguments, m.max_pool_forward, m.max_pool_backward, lambda x: F.max_pool2d(x, 2)),
    "up_conv": (
        up_conv_arguments,
        m.up_conv_forward,
        m.up_conv_backward,
        lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, stride=2),
    ),
    "crop_concat": (crop_concat_arguments, m.crop_concat_forward, m.crop_concat_backward, torch_unet.crop_concat),
}


@pytest.mark.parametrize("seed", SEEDS)
@layouts
@pytest.mark.parametrize("layer", LAYERS)
def test_layer_equals_pytorch(layer, layout, seed):
    arguments, forward, backward, in_torch = LAYERS[layer]
    rng = np.random.default_rng(seed)
    arguments = [layout(array) for array in arguments(rng)]
    tensors = [leaf(array) for array in arguments]
    y, cache = forward(*arguments)
    expected = in_torch(*tensors)
    assert_close(y, expected)

    dy = layout(draw(rng, *y.shape))
    expected.backward(torch.tensor(np.array(dy, order="C")))
    gradients = backward(dy, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        assert_close(gradient, tensor.grad)


@pytest.mark.parametrize("KH, KW", [(1, 1), (1, 3), (3, 3), (5, 1), (7, 2), (7, 9)])
def test_every_kernel_size_equals_pytorch(KH, KW):
    rng = np.random.default_rng(10 * KH + KW)
    arguments = draw(rng, 3, 2, 7, 9), draw(rng, 4, 2, KH, KW), draw(rng, 4)
    tensors = [leaf(array) for array in arguments]
    y, cache = m.conv2d_forward(*arguments)
    dy = draw(rng, *y.shape)
    F.conv2d(*tensors).backward(torch.tensor(dy))
    for gradient, tensor in zip(m.conv2d_backward(dy, cache), tensors, strict=True):
        assert_close(gradient, tensor.grad)


@layouts
def test_dropout_equals_pytorch_under_the_same_mask(layout):
    rng = np.random.default_rng(0)
    x, dy = layout(draw(rng, 2, 3, 4, 5)), layout(draw(rng, 2, 3, 4, 5))
    y, cache = m.dropout_forward(x, 0.3, rng)
    tensor = leaf(x)
    expected = torch.where(torch.tensor(cache.keep), tensor / 0.7, 0.0)
    expected.backward(torch.tensor(np.array(dy, order="C")))
    assert_close(y, expected)
    assert_close(m.dropout_backward(dy, cache), tensor.grad)


def torch_loss(logits, labels, weights):
    """The mean over all pixels of weight * -log p."""
    surprise = F.cross_entropy(logits, torch.tensor(labels.astype(np.int64)), reduction="none")
    return (torch.tensor(np.array(weights, order="C")) * surprise).mean()


@pytest.mark.parametrize("seed", SEEDS)
@layouts
def test_loss_equals_pytorch(layout, seed):
    rng = np.random.default_rng(seed)
    N, K, H, W = rng.integers(2, 6, 4)
    logits, labels = layout(3 * draw(rng, N, K, H, W)), layout(rng.integers(0, K, (N, H, W), np.uint8))
    weights = layout(rng.random((N, H, W)) * (rng.random((N, H, W)) < 0.7))
    tensor = leaf(logits)
    expected = torch_loss(tensor, labels, weights)
    expected.backward(torch.tensor(-2.5, dtype=torch.float64))
    loss, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    assert_close(loss, expected)
    assert_close(m.softmax_cross_entropy_backward(np.array(-2.5), cache), tensor.grad)


# The network.


def unet(rng, **network):
    """Return float64 parameters with non-zero biases."""
    params = m.init_unet(rng, dtype=np.float64, **network)
    return map_tree(lambda array: array if array.any() else draw(rng, *array.shape) / 2, params)


def assert_network_equals_pytorch(params, x, rng, layout=np.ascontiguousarray):
    params = map_tree(layout, params)
    tensors, tensor = {name: leaf(array) for name, array in m.flatten(params).items()}, leaf(x)
    logits, cache = m.unet_forward(params, layout(x))
    expected = torch_unet.forward(tensors, tensor)
    assert_close(logits, expected)

    dlogits = layout(draw(rng, *logits.shape))
    expected.backward(torch.tensor(np.array(dlogits, order="C")))
    grads, dx = m.unet_backward(dlogits, cache, with_dx=True)
    assert_close(dx, tensor.grad)
    for name, gradient in m.flatten(grads).items():
        assert_close(gradient, tensors[name].grad)


@pytest.mark.parametrize(
    "depth, base_channels, in_channels, num_classes, H, W",
    [(1, 5, 3, 1, 18, 30), (2, 3, 1, 4, 52, 44), (3, 2, 2, 3, 92, 100), (4, 2, 1, 2, 204, 188)],
)
def test_network_equals_pytorch(depth, base_channels, in_channels, num_classes, H, W):
    rng = np.random.default_rng(depth)
    params = unet(rng, depth=depth, base_channels=base_channels, in_channels=in_channels, num_classes=num_classes)
    assert_network_equals_pytorch(params, draw(rng, 2, in_channels, H, W), rng)


@layouts
def test_network_equals_pytorch_in_every_memory_layout(layout):
    rng = np.random.default_rng(7)
    params = unet(rng, depth=2, base_channels=3, in_channels=2, num_classes=3)
    assert_network_equals_pytorch(params, draw(rng, 2, 2, 48, 44), rng, layout)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_ten_training_steps_equal_pytorch(name):
    rng = np.random.default_rng(3)
    params = unet(rng, depth=2, base_channels=4, in_channels=1, num_classes=3)
    x, labels = draw(rng, 2, 1, 48, 52), rng.integers(0, 3, (2, 8, 12))
    weights = rng.random((2, 8, 12)) * (rng.random((2, 8, 12)) < 0.8)
    tensors = {name: leaf(array) for name, array in m.flatten(params).items()}
    if name == "adam":
        optimiser, state = torch.optim.Adam(tensors.values(), lr=0.003, betas=(0.9, 0.999)), init_moments(params)
    else:
        optimiser, state = torch.optim.SGD(tensors.values(), lr=0.02, momentum=0.9), init_velocity(params)
    losses, expected = [], []
    for step in range(1, 11):
        logits, cache = m.unet_forward(params, x)
        loss, loss_cache = m.softmax_cross_entropy_forward(logits, labels, weights)
        grads = m.unet_backward(m.softmax_cross_entropy_backward(np.array(1.0), loss_cache), cache)
        if name == "adam":
            adam_step(params, grads, state, 0.003, 0.9, step)
        else:
            sgd_step(params, grads, state, learning_rate=0.02, momentum=0.9)
        losses.append(float(loss))

        optimiser.zero_grad()
        torch_value = torch_loss(torch_unet.forward(tensors, torch.tensor(x)), labels, weights)
        torch_value.backward()
        optimiser.step()
        expected.append(torch_value.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    assert losses[-1] < 0.9 * losses[0]
    for name, array in m.flatten(params).items():
        assert_close(array, tensors[name])
