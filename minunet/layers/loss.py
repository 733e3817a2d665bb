"""Weighted softmax cross-entropy: the energy of the paper (eq. 1), as a mean over pixels.

    p[n,k,h,w]       = exp(logits[n,k,h,w]) / sum_k' exp(logits[n,k',h,w])
    loss             = mean_{n,h,w}  weights[n,h,w] * -log p[n, labels[n,h,w], h, w]

    dlogits[n,k,h,w] = dloss * weights[n,h,w] / (N * H * W) * (p[n,k,h,w] - onehot[n,k,h,w])

onehot is 1 where k is the pixel's label, else 0. The mean is over all pixels, whatever their weights: a pixel of
weight 0 is ignored (whatever its label), and doubling all the weights doubles the loss. The largest logit of each
pixel is subtracted first: p stays the same, and exp cannot overflow.
"""

from typing import NamedTuple

import numpy as np

from minunet.backend import Array, Constant, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_dloss, check_loss


class SoftmaxCrossEntropyCache(NamedTuple):
    p: Array  # (N, K, H, W)
    labels: Array  # (N, H, W) integers in 0..K-1
    weights: Array | None  # (N, H, W)


def softmax_cross_entropy_forward(
    logits: Array, labels: Array, weights: Constant = None
) -> tuple[Array, SoftmaxCrossEntropyCache]:
    """Compare the network's logits with the true class of every pixel.

    Parameters
    ----------
    logits : array, (N, K, H, W)
    labels : integer array, (N, H, W), in 0..K-1
        Where the weight is 0, any integer will do.
    weights : array, (N, H, W), optional
        Weight of each pixel, such as eq. 2's; 1 everywhere if left out. A constant: it gets no gradient.

    Returns
    -------
    loss : scalar of the logits' dtype (on the GPU a 0-d array)
    cache : SoftmaxCrossEntropyCache

    Raises
    ------
    InputError
        If a shape does not fit, or a label of non-zero weight is outside 0..K-1. On a GPU such a label makes the loss
        NaN instead: to raise, the host would have to wait for the GPU.
    """
    xp = array_module(logits)
    check_loss(logits, labels, weights)
    if weights is not None:
        weights = xp.asarray(weights, logits.dtype)
        labels = xp.where(weights == 0, 0, labels)  # an ignored pixel may carry any label
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))  # (N, 1, H, W)
    log_p = shifted - log_sum  # (N, K, H, W)
    surprise = -xp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]  # (N, H, W)
    if xp is not np:
        surprise = xp.where((labels >= 0) & (labels < logits.shape[1]), surprise, xp.nan)
    if weights is not None:
        surprise = surprise * weights
    return surprise.mean(), SoftmaxCrossEntropyCache(xp.exp(log_p), labels, weights)


def softmax_cross_entropy_backward(dloss: Array | float, cache: SoftmaxCrossEntropyCache) -> Array:
    """Return the difference between probability and label of every pixel, times its weight.

    Parameters
    ----------
    dloss : scalar or 0-d array, usually 1
    cache : SoftmaxCrossEntropyCache

    Returns
    -------
    dlogits : array, (N, K, H, W)
    """
    check_cache(cache, SoftmaxCrossEntropyCache)
    check_dloss(dloss, cache.p)
    p, labels, weights = cache
    xp = array_module(p)
    factor = xp.asarray(dloss, p.dtype)
    N, K, H, W = p.shape
    classes = xp.arange(K)[:, None, None]  # (K, 1, 1)
    onehot = labels[:, None] == classes  # (N, K, H, W)
    dlogits = (p - onehot) * (factor / (N * H * W))
    return dlogits if weights is None else dlogits * weights[:, None]
