"""Weighted softmax cross-entropy by the kernels of `loss.cu`; the readable layer is `minunet/layers/loss.py`."""

import numpy as np

from minunet.backend import Array, Constant, array_module
from minunet.fast.cuda.loader import NULL, launch, on_gpu
from minunet.layers.checks import check_gradient, check_loss
from minunet.layers.loss import SoftmaxCrossEntropyCache

SOURCE = "loss"


def softmax_cross_entropy_forward(
    logits: Array, labels: Array, weights: Constant = None
) -> tuple[Array, SoftmaxCrossEntropyCache]:
    """Do what `minunet.layers.loss.softmax_cross_entropy_forward` does; same arguments, results and errors."""
    check_loss(logits, labels, weights)
    xp = array_module(logits)
    N, K, H, W = logits.shape
    logits = on_gpu("logits", logits, logits.dtype)
    labels = on_gpu("labels", labels, np.int32)
    weights = None if weights is None else on_gpu("weights", weights, logits.dtype)
    p, surprise = xp.empty(logits.shape, logits.dtype), xp.empty(labels.shape, logits.dtype)
    pointer = NULL if weights is None else weights
    launch(SOURCE, "loss_forward", labels.size, logits, labels, pointer, p, surprise, labels.size, K, H * W)
    return surprise.mean(), SoftmaxCrossEntropyCache(p, labels, weights)


def softmax_cross_entropy_backward(dloss: Array, cache: SoftmaxCrossEntropyCache) -> Array:
    """Do what `minunet.layers.loss.softmax_cross_entropy_backward` does; same arguments, results and errors."""
    p, labels, weights = cache
    xp = array_module(p)
    dloss = xp.asarray(dloss, p.dtype)
    check_gradient(dloss, ())
    N, K, H, W = p.shape
    dlogits = xp.empty(p.shape, p.dtype)
    pointer = NULL if weights is None else weights
    launch(SOURCE, "loss_backward", labels.size, dloss, p, labels, pointer, dlogits, labels.size, K, H * W)
    return dlogits
