"""Weighted softmax cross-entropy by the kernels of `loss.cu`; the readable layer is `minunet/layers/loss.py`."""

import numpy as np

from minunet.backend import array_module, check_same_device
from minunet.fast.cuda.loader import NULL, contiguous, launch
from minunet.fast.same_as import same_as
from minunet.layers import loss as readable
from minunet.layers.checks import check_gradient, check_loss
from minunet.layers.loss import SoftmaxCrossEntropyCache

SOURCE = "loss"


@same_as(readable.softmax_cross_entropy_forward)
def softmax_cross_entropy_forward(logits, labels, weights=None):
    check_loss(logits, labels, weights)
    xp = array_module(logits)
    N, K, H, W = logits.shape
    logits = contiguous(logits, logits.dtype)
    labels = contiguous(
        labels, np.int64
    )  # a narrower type could turn a wrong label into a valid one: 256 is 0 in uint8
    weights = None if weights is None else contiguous(weights, logits.dtype)
    p, pixel_loss = xp.empty(logits.shape, logits.dtype), xp.empty(labels.shape, logits.dtype)
    pointer = NULL if weights is None else weights
    launch(SOURCE, "loss_forward", labels.size, logits, labels, pointer, p, pixel_loss, labels.size, K, H * W)
    return pixel_loss.mean(), SoftmaxCrossEntropyCache(p, labels, weights)


@same_as(readable.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(dloss, cache):
    p, labels, weights = cache
    xp = array_module(p)
    check_same_device(p=p, dloss=dloss)
    dloss = xp.asarray(dloss, p.dtype)
    check_gradient(dloss, ())
    N, K, H, W = p.shape
    dlogits = xp.empty(p.shape, p.dtype)
    pointer = NULL if weights is None else weights
    launch(SOURCE, "loss_backward", labels.size, dloss, p, labels, pointer, dlogits, labels.size, K, H * W)
    return dlogits
