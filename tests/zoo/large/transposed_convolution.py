"""Transposed convolution, with a stride and kernels that overlap."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, changed

normal = np.random.default_rng(49).standard_normal


def transposed_forward(x, weight, stride=2):
    N, _, H, W = x.shape
    y = np.zeros((N, weight.shape[1], stride * (H - 1) + weight.shape[2], stride * (W - 1) + weight.shape[3]))
    for kh, kw in np.ndindex(*weight.shape[2:]):
        share = np.einsum("nchw,cf->nfhw", x, weight[:, :, kh, kw])
        y[:, :, kh : kh + stride * H : stride, kw : kw + stride * W : stride][:, :, :H, :W] += share
    return y, (x, weight)


def transposed_backward(dy, cache, stride=2, flip=1):
    x, weight = cache
    H, W = x.shape[2:]
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for kh, kw in np.ndindex(*weight.shape[2:]):
        patch = dy[:, :, kh : kh + stride * H : stride, kw : kw + stride * W : stride][:, :, :H, :W]
        dx += np.einsum("nfhw,cf->nchw", patch, weight[:, :, ::flip, ::flip][:, :, kh, kw])
        dweight[:, :, kh, kw] = np.einsum("nchw,nfhw->cf", x, patch)
    return dx, dweight


transposed = Layer(
    "transposed convolution",
    transposed_forward,
    transposed_backward,
    (normal((2, 2, 3, 2)), normal((2, 3, 3, 3))),
    {
        "flips the kernel in dx": Wrong("x", partial(transposed_backward, flip=-1)),
        "forgets the stride": Wrong("x", partial(transposed_backward, stride=1)),
        "has dweight's channels swapped": Wrong(
            "weight", changed(transposed_backward, lambda d: d.swapaxes(0, 1), 1), "shape"
        ),
    },
)

LAYERS = (transposed,)
