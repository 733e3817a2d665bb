"""The weighted softmax cross-entropy: what weights do, large logits, and the gradient of the loss itself."""

import numpy as np
import pytest

import minunet as m

pytestmark = pytest.mark.usefixtures("device")  # each test runs on the CPU and on CuPy


def logits_labels_weights():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))


def loss_and_gradient(logits, labels, weights=None, dloss=1.0):
    loss, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    return loss, m.softmax_cross_entropy_backward(np.array(dloss, logits.dtype), cache)


@pytest.mark.parametrize("label, dtype", [(255, np.uint8), (-1, np.int64), (3, np.int32)])
def test_weight_0_ignores_a_pixel_whatever_its_label(label, dtype):
    logits, labels, weights = logits_labels_weights()
    labels = labels.astype(dtype)
    weights[:, 1, 2:] = 0
    expected = loss_and_gradient(logits, labels, weights)
    labels[:, 1, 2:] = label
    np.testing.assert_equal(loss_and_gradient(logits, labels, weights), expected)
    assert not expected[1][:, :, 1, 2:].any() and expected[1][:, :, 0].all()


def test_an_ignored_pixel_still_counts_in_the_mean():
    logits, labels, weights = logits_labels_weights()
    weights[:, 2:] = 0
    loss, _ = loss_and_gradient(logits, labels, weights)
    upper, _ = loss_and_gradient(logits[:, :, :2], labels[:, :2], weights[:, :2])
    assert loss == pytest.approx(upper / 2, rel=1e-14)


def test_doubling_the_weights_doubles_loss_and_gradient():
    logits, labels, weights = logits_labels_weights()
    loss, dlogits = loss_and_gradient(logits, labels, weights)
    doubled_loss, doubled_dlogits = loss_and_gradient(logits, labels, 2 * weights)
    assert doubled_loss == 2 * loss != 0
    np.testing.assert_array_equal(doubled_dlogits, 2 * dlogits)


def test_doubling_dloss_doubles_the_gradient():
    logits, labels, weights = logits_labels_weights()
    _, dlogits = loss_and_gradient(logits, labels, weights)
    _, doubled = loss_and_gradient(logits, labels, weights, dloss=2.0)
    np.testing.assert_allclose(doubled, 2 * dlogits, rtol=1e-15)


def test_no_weights_are_weights_of_one():
    logits, labels, weights = logits_labels_weights()
    expected = loss_and_gradient(logits, labels, np.ones_like(weights))
    np.testing.assert_equal(loss_and_gradient(logits, labels), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_do_not_overflow(dtype):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype).reshape(1, 2, 1, 2)
    loss, dlogits = loss_and_gradient(logits, np.array([[[0, 0]]]))  # the first is right, the second is not at all
    assert loss == 1e4  # the mean of 0 and 2e4
    np.testing.assert_array_equal(dlogits[0, :, 0], [[0, -0.5], [0, 0.5]])


def test_pixels_with_logits_far_apart_do_not_disturb_each_other():
    logits = np.array([[1e4, -1e4], [1e4, -1e4]]).reshape(1, 2, 1, 2)  # each pixel on its own: p is 1/2, 1/2
    loss, dlogits = loss_and_gradient(logits, np.array([[[0, 0]]]))
    assert loss == pytest.approx(np.log(2), rel=1e-15)
    np.testing.assert_allclose(dlogits[0, :, 0], [[-0.25, -0.25], [0.25, 0.25]], rtol=1e-15)


def test_gradients_of_a_pixel_sum_to_zero():
    logits, labels, weights = logits_labels_weights()
    _, dlogits = loss_and_gradient(logits, labels, weights)
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-16)


def test_float64_weights_keep_a_float32_loss_float32():
    logits, labels, weights = logits_labels_weights()
    loss, dlogits = loss_and_gradient(logits.astype(np.float32), labels, weights)
    assert loss.dtype == dlogits.dtype == np.float32


@pytest.mark.parametrize("dloss", [1, 1.0, np.float32(1), np.array(1)])
def test_dloss_may_be_any_number(dloss):
    logits, labels, weights = logits_labels_weights()
    _, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    _, expected = loss_and_gradient(logits, labels, weights)
    np.testing.assert_array_equal(m.softmax_cross_entropy_backward(dloss, cache), expected, strict=True)
