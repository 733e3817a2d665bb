"""The loss of two classes by the difference of their logits is the loss of the readable layer."""

import numpy as np
import pytest

from minunet import InputError, gradcheck
from minunet.fast.cpu import loss as fast
from minunet.layers import loss as readable


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_equals_the_readable_loss(rng, K, weighted, dtype, tolerance):
    logits = 30 * rng.standard_normal((2, K, 5, 7)).astype(dtype)  # some are far from each other
    labels = rng.integers(0, K, (2, 5, 7))
    weights = rng.random((2, 5, 7)) if weighted else None
    loss, cache = fast.softmax_cross_entropy_forward(logits, labels, weights)
    expected_loss, expected_cache = readable.softmax_cross_entropy_forward(logits, labels, weights)
    dlogits = fast.softmax_cross_entropy_backward(dtype(0.7), cache)
    expected = readable.softmax_cross_entropy_backward(dtype(0.7), expected_cache)
    assert loss == pytest.approx(expected_loss, rel=tolerance) and loss.dtype == expected_loss.dtype
    for result, wanted in ((dlogits, expected), (cache.p, expected_cache.p)):
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(result, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("difference", [0.0, 1e4, -1e4])
def test_no_difference_overflows(difference):
    logits = np.zeros((1, 2, 2, 2), np.float32)
    logits[:, 1] = difference
    with np.errstate(all="raise", under="ignore"):
        for label in (0, 1):
            labels = np.full((1, 2, 2), label)
            loss, cache = fast.softmax_cross_entropy_forward(logits, labels)
            assert loss == pytest.approx(readable.softmax_cross_entropy_forward(logits, labels)[0], rel=1e-6)
            assert np.isfinite(fast.softmax_cross_entropy_backward(np.float32(1), cache)).all()


def test_its_gradient(rng):
    args = rng.standard_normal((2, 2, 4, 5)), rng.integers(0, 2, (2, 4, 5)), rng.random((2, 4, 5))
    assert gradcheck(fast.softmax_cross_entropy_forward, fast.softmax_cross_entropy_backward, args)


def test_it_refuses_what_the_readable_loss_refuses(rng):
    logits, labels = rng.standard_normal((1, 2, 3, 3)), np.zeros((1, 3, 3), int)
    for bad in ((logits, labels[:, :2]), (logits, labels + 5), (logits[0], labels)):
        messages = []
        for module in (fast, readable):
            with pytest.raises(InputError) as error:
                module.softmax_cross_entropy_forward(*bad)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
