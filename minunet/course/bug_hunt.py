"""The backward passes under suspicion in notebook 14, and the arguments at which each is checked.

Eight are wrong in one line, on purpose; the ninth is right, but checked with unsuitable arguments. The notebook shows
what gradcheck says about each, and then its source from this file. All sizes in one case are different, so that a
number of wrong elements, or a wrong factor, points at one of them.
"""

import numpy as np

from minunet.backend import flatten
from minunet.layers.conv import conv2d_backward, conv2d_forward
from minunet.layers.crop_concat import crop_concat_backward
from minunet.layers.pool import CORNERS, max_pool_backward
from minunet.layers.relu import relu_forward
from minunet.layers.up_conv import up_conv_backward
from minunet.network.initialise import init_unet
from minunet.network.unet import double_conv_backward

rng = np.random.default_rng(14)
normal = rng.standard_normal


def _small_unet_with_open_gates() -> dict:
    params = init_unet(rng, base_channels=2, depth=1, dtype=np.float64)
    for name, array in flatten(params).items():
        if name.endswith("bias"):
            array += np.abs(normal(array.shape))  # above 0, so that no ReLU is dead: its gradients would all be 0
    return params


POOL = (normal((2, 3, 4, 6)),)
CONV = normal((1, 2, 5, 6)), normal((4, 2, 3, 3)), normal(4)
UNET = _small_unet_with_open_gates(), normal((1, 1, 20, 18))
LOSS = normal((3, 2, 4, 5)), rng.integers(0, 2, (3, 4, 5)), rng.random((3, 4, 5))
UP_CONV = normal((2, 3, 4, 5)), normal((3, 2, 2, 2)), normal(2)
CROP_CONCAT = normal((2, 3, 6, 8)), normal((2, 1, 4, 5))
RELU = (normal((2, 3, 4, 5)),)
CONV_RELU_CONV = normal((2, 1, 6, 7)), normal((3, 1, 3, 3)), normal(3), normal((2, 3, 2, 2)), normal(2)
LOSS_AGAIN = normal((3, 2, 4, 5)), rng.integers(0, 2, (3, 4, 5)), np.zeros((3, 4, 5))


def suspect_pool(dy, cache):
    N, C, OH, OW = dy.shape
    dx = np.zeros((N, C, 2 * OH, 2 * OW))
    for i, j in CORNERS:
        dx[:, :, i::2, j::2] = dy
    return dx


def suspect_conv(dy, cache):
    x, weight = cache
    OH, OW = dy.shape[2:]
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for kh, kw in np.ndindex(weight.shape[2:]):
        rows, columns = slice(kh, kh + OH), slice(kw, kw + OW)
        dx[:, :, rows, columns] = np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias


def suspect_unet(dlogits, cache):
    encode: list[dict] = []
    decode, dskips = [], []

    dy, dweight, dbias = conv2d_backward(dlogits, cache.head)
    head = {"weight": dweight, "bias": dbias}

    for level in cache.decode:
        dy, conv_grads = double_conv_backward(dy, level.conv)
        dskip, dy = crop_concat_backward(dy, level.concat)
        dy, dweight, dbias = up_conv_backward(dy, level.up)
        dskips.append(dskip)
        decode.append({"up": {"weight": dweight, "bias": dbias}, **conv_grads})

    dy, bottom = double_conv_backward(dy, cache.bottom)

    for level in reversed(cache.encode):
        dy = max_pool_backward(dy, level.pool)
        dy, conv_grads = double_conv_backward(dy, level.conv)
        encode.insert(0, conv_grads)

    return {"encode": encode, "bottom": bottom, "decode": decode, "head": head}


def suspect_loss(dloss, cache):
    p, labels, weights = cache
    N, K, H, W = p.shape
    onehot = labels[:, None] == np.arange(K)[:, None, None]
    dlogits = dloss * weights[:, None] / (H * W) * (p - onehot)
    return dlogits


def suspect_up_conv(dy, cache):
    x, weight = cache
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for i, j in CORNERS:
        dy_tap = dy[:, :, i::2, j::2]
        dx += np.einsum("cf,nfhw->nchw", weight[:, :, i, j], dy_tap)
        dweight[:, :, j, i] = np.einsum("nchw,nfhw->cf", x, dy_tap)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias


def suspect_crop_concat(dy, cache):
    N, S, SH, SW = cache.skip_shape
    N, C, H, W = cache.x_shape
    top, left = (SH - H) // 2, (SW - W + 1) // 2
    dskip = np.zeros(cache.skip_shape)
    dskip[:, :, top : top + H, left : left + W] = dy[:, :S]
    dx = dy[:, S:].copy()
    return dskip, dx


def suspect_relu(dy, cache):
    dy[cache.y <= 0] = 0
    return dy


def conv_relu_conv_forward(x, weight1, bias1, weight2, bias2):
    """Convolve, cut off what is negative, convolve again."""
    y, conv1 = conv2d_forward(x, weight1, bias1)
    y, relu = relu_forward(y)
    y, conv2 = conv2d_forward(y, weight2, bias2)
    return y, (conv1, relu, conv2)


def suspect_conv_relu_conv(dy, cache):
    conv1, relu, conv2 = cache
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dx, dweight1, dbias1 = conv2d_backward(dy, conv1)
    return dx, dweight1, dbias1, dweight2, dbias2


def suspect_loss_again(dloss, cache):
    p, labels, weights = cache
    N, K, H, W = p.shape
    onehot = labels[:, None] == np.arange(K)[:, None, None]
    dlogits = dloss * weights[:, None] / (N * H * W) * (p - onehot)
    return dlogits
