"""The tiny autograd: every operation against finite differences, and the U-Net against the hand-written pass."""

import numpy as np
import pytest

from minunet import (
    flatten,
    init_unet,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.backend import map_tree
from minunet.course import tiny_autograd as tiny
from minunet.course import tiny_unet
from minunet.course.tiny_autograd import Tensor, gradients
from minunet.gradcheck.check import gradcheck

rng = np.random.default_rng(19)
OPERATIONS = {
    "add": (lambda a, b: a + b, (2, 3), (3,)),
    "add_to_fewer_axes": (lambda a, b: a + b, (3, 1), (2, 3, 4)),
    "multiply": (lambda a, b: a * b, (2, 3), (2, 1)),
    "subtract": (lambda a, b: a - b, (2, 3), (2, 3)),
    "constants": (lambda a: a * 3.0 + 2.0 - np.ones(3), (2, 3)),
    "slices": (lambda a: a[:, None, 1::2] * a[:, None, :-1:2], (2, 4)),
    "one_row": (lambda a: a[1], (2, 4)),
    "reshape": (lambda a: a.reshape(3, 2) * a.reshape(3, 2), (2, 3)),
    "sum_of_an_axis": (lambda a: a.sum(axis=1) * a, (2, 3)),
    "exp_and_log": (lambda a: tiny.log(tiny.exp(a) + 1.0), (2, 3)),
    "maximum": (lambda a, b: tiny.maximum(a, b), (2, 3), (3,)),
    "concatenate": (lambda a, b: tiny.concatenate(a, b) * 2.0, (1, 2, 3), (1, 1, 3)),
    "einsum": (lambda a, b: tiny.einsum("fc,nchw->nfhw", a, b), (3, 2), (2, 2, 3, 2)),
    "a_fork": (lambda a: (a * a + a) * a, (2, 3)),
    "max_pool": (tiny_unet.max_pool, (1, 2, 4, 6)),
    "up_conv": (tiny_unet.up_conv, (1, 3, 2, 3), (3, 2, 2, 2), (2,)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_gradient_that_is_measured(name):
    operation, *shapes = OPERATIONS[name]

    def forward(*args):
        tensors = [Tensor(x) for x in args]
        y = operation(*tensors)
        return y.data, (y, tensors)

    def backward(dy, cache):
        y, tensors = cache
        grads = gradients((y * dy).sum(), tensors)
        return tuple(grads) if len(grads) > 1 else grads[0]

    report = gradcheck(forward, backward, tuple(rng.normal(size=shape) for shape in shapes))
    assert report.ok, str(report)


def test_of_equal_elements_the_first_takes_the_gradient():
    a, b = Tensor(np.array([1.0, 2.0, 0.0])), Tensor(np.array([1.0, 0.0, 3.0]))
    da, db = gradients(tiny.maximum(a, b).sum(), [a, b])
    assert (da.tolist(), db.tolist()) == ([1, 1, 0], [0, 0, 1])


def test_the_unet_has_the_gradients_of_the_hand_written_pass():
    params = init_unet(rng, 1, 3, base_channels=2, depth=2, dtype=np.float64)
    x, labels, weights = rng.normal(size=(2, 1, 44, 44)), rng.integers(0, 3, (2, 4, 4)), rng.random((2, 4, 4))
    logits, cache = unet_forward(params, x)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    expected = flatten(unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache))

    tensors = map_tree(Tensor, params)
    tiny_loss = tiny_unet.cross_entropy(tiny_unet.unet(tensors, Tensor(x)), labels, weights)
    flat = flatten(tensors)
    found = dict(zip(flat, gradients(tiny_loss, list(flat.values())), strict=True))
    assert tiny_loss.data == pytest.approx(loss, rel=1e-13)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert np.allclose(found[name], gradient, rtol=0, atol=1e-13 * np.abs(gradient).max()), name


def test_float32_stays_float32():
    params = map_tree(Tensor, init_unet(rng, 1, 2, base_channels=2, depth=1))
    x = Tensor(rng.normal(size=(1, 1, 20, 20)).astype(np.float32))
    loss = tiny_unet.cross_entropy(tiny_unet.unet(params, x), np.zeros((1, 4, 4), int), np.ones((1, 4, 4)))
    assert {made.data.dtype for made in tiny.history(loss)} == {np.dtype(np.float32)}
