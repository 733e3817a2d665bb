"""The U-Net of `minunet/network/unet.py`, forward only: `tiny_autograd` finds the way back by itself."""

import numpy as np

from minunet.course.tiny_autograd import Tensor, concatenate, einsum, exp, log, maximum, tensor


def conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum, over the taps of the kernel, a matrix times the shifted image; then add the bias."""
    KH, KW = weight.shape[2:]
    OH, OW = x.shape[2] - KH + 1, x.shape[3] - KW + 1
    y = bias[:, None, None]
    for kh, kw in np.ndindex(KH, KW):
        y = y + einsum("fc,nchw->nfhw", weight[:, :, kh, kw], x[:, :, kh : kh + OH, kw : kw + OW])
    return y


def relu(x: Tensor) -> Tensor:
    return maximum(tensor(0.0, x), x)


def max_pool(x: Tensor) -> Tensor:
    top = maximum(x[:, :, ::2, ::2], x[:, :, ::2, 1::2])
    bottom = maximum(x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2])
    return maximum(top, bottom)


def up_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    N, _, H, W = x.shape
    F = weight.shape[1]
    return einsum("nchw,cfij->nfhiwj", x, weight).reshape(N, F, 2 * H, 2 * W) + bias[:, None, None]


def crop_concat(skip: Tensor, x: Tensor) -> Tensor:
    H, W = x.shape[2:]
    top, left = (skip.shape[2] - H) // 2, (skip.shape[3] - W) // 2
    return concatenate(skip[:, :, top : top + H, left : left + W], x)


def double_conv(params: dict, x: Tensor) -> Tensor:
    return relu(conv2d(relu(conv2d(x, **params["conv1"])), **params["conv2"]))


def unet(params: dict, x: Tensor) -> Tensor:
    """Return the logits; `params` as from `init_unet`, with a Tensor in place of each array."""
    skips = []
    for level in params["encode"]:
        skips.append(double_conv(level, x))
        x = max_pool(skips[-1])
    x = double_conv(params["bottom"], x)
    for level in reversed(params["decode"]):
        x = double_conv(level, crop_concat(skips.pop(), up_conv(x, **level["up"])))
    return conv2d(x, **params["head"])


def cross_entropy(logits: Tensor, labels: np.ndarray, weights: np.ndarray) -> Tensor:
    """Return the weighted softmax cross-entropy of notebook 06."""
    onehot = labels[:, None] == np.arange(logits.shape[1])[:, None, None]
    shifted = logits - logits.data.max(axis=1, keepdims=True)
    log_p = shifted - log(exp(shifted).sum(axis=1))
    return (log_p * (onehot * weights[:, None])).sum() * (-1 / labels.size)
