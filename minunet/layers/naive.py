"""Loop twins: the equations of conv, pool and up-conv, transcribed sign by sign. Slow on purpose.

Each does what its readable twin does (same arguments, same results) without a single trick, so that the tests
can hold one against the other. They know neither caches nor errors.
"""

import numpy as np


def conv2d(x, weight, bias):
    """y of `conv2d_forward`."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1), x.dtype)
    for n, f, h, w in np.ndindex(y.shape):
        y[n, f, h, w] = bias[f] + np.sum(weight[f] * x[n, :, h : h + KH, w : w + KW])
    return y


def conv2d_gradients(dy, x, weight):
    """dx, dweight, dbias of `conv2d_backward`."""
    dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros(len(weight), x.dtype)
    KH, KW = weight.shape[2:]
    for n, f, h, w in np.ndindex(dy.shape):
        dx[n, :, h : h + KH, w : w + KW] += weight[f] * dy[n, f, h, w]
        dweight[f] += x[n, :, h : h + KH, w : w + KW] * dy[n, f, h, w]
        dbias[f] += dy[n, f, h, w]
    return dx, dweight, dbias


def max_pool(x):
    """y of `max_pool_forward`."""
    N, C, H, W = x.shape
    y = np.zeros((N, C, H // 2, W // 2), x.dtype)
    for n, c, h, w in np.ndindex(y.shape):
        y[n, c, h, w] = x[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].max()
    return y


def max_pool_gradient(dy, x):
    """dx of `max_pool_backward`."""
    dx = np.zeros_like(x)
    for n, c, h, w in np.ndindex(dy.shape):
        window = x[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]
        i, j = divmod(int(window.argmax()), 2)  # argmax returns the first winner, row by row
        dx[n, c, 2 * h + i, 2 * w + j] = dy[n, c, h, w]
    return dx


def up_conv(x, weight, bias):
    """y of `up_conv_forward`."""
    N, C, H, W = x.shape
    F = weight.shape[1]
    y = np.zeros((N, F, 2 * H, 2 * W), x.dtype) + bias[:, None, None]
    for n, c, h, w in np.ndindex(x.shape):
        y[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2] += weight[c] * x[n, c, h, w]
    return y


def up_conv_gradients(dy, x, weight):
    """dx, dweight, dbias of `up_conv_backward`."""
    dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros(weight.shape[1], x.dtype)
    for n, c, h, w in np.ndindex(x.shape):
        block = dy[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]  # (F, 2, 2)
        dx[n, c, h, w] = np.sum(weight[c] * block)
        dweight[c] += x[n, c, h, w] * block
    for n, f, h, w in np.ndindex(dy.shape):
        dbias[f] += dy[n, f, h, w]
    return dx, dweight, dbias
