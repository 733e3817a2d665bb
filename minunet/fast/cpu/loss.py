"""The same weighted softmax cross-entropy as `layers/loss.py`, for two classes: by the difference of their logits.

With d = logits[1] - logits[0], and t = 1 where the label is 1, else 0:

    p[1]        = 1 / (1 + exp(-d))                       p[0] = 1 - p[1]
    loss        = mean  weights * (log(1 + exp(d)) - t d)
    dlogits[1]  = dloss * weights / (N H W) * (p[1] - t)    dlogits[0] = -dlogits[1]

exp is taken of -|d|, which cannot overflow:  log(1 + exp(d)) = max(d, 0) + log(1 + exp(-|d|)).
"""

import numpy as np

from minunet.fast.cpu import by_rows
from minunet.fast.same_as import same_as
from minunet.layers import loss as readable
from minunet.layers.checks import check_gradient, check_loss
from minunet.layers.loss import SoftmaxCrossEntropyCache


@same_as(readable.softmax_cross_entropy_forward)
def softmax_cross_entropy_forward(logits, labels, weights=None):
    check_loss(logits, labels, weights)
    N, K, H, W = logits.shape
    if K != 2:
        return readable.softmax_cross_entropy_forward(logits, labels, weights)
    d = logits[:, 1] - logits[:, 0]  # (N, H, W)
    small = np.exp(-np.abs(d))  # in 0..1
    surprise = np.log1p(small) + np.maximum(d, 0) - d * (labels == 1)
    if weights is not None:
        weights = weights.astype(logits.dtype, copy=False)
        surprise *= weights
    p = by_rows.empty(N, 2, H, W, logits.dtype)
    larger = 1 / (1 + small)  # the probability of the likelier class
    p[:, 1] = np.where(d >= 0, larger, small * larger)
    p[:, 0] = np.where(d >= 0, small * larger, larger)
    of_images = surprise.mean(axis=(1, 2))  # so that it is the same where each image is another process's
    return of_images.mean(), SoftmaxCrossEntropyCache(p, labels, weights)


@same_as(readable.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(dloss, cache):
    p, labels, weights = cache
    N, K, H, W = p.shape
    if K != 2:
        return readable.softmax_cross_entropy_backward(dloss, cache)
    factor = np.asarray(dloss, p.dtype)
    check_gradient(factor, ())
    dlogits = by_rows.empty(N, 2, H, W, p.dtype)
    of_one = np.subtract(p[:, 1], labels == 1, out=dlogits[:, 1])
    of_one *= factor / (N * H * W)
    if weights is not None:
        of_one *= weights
    np.negative(of_one, out=dlogits[:, 0])
    return dlogits
