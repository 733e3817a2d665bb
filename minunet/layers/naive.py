"""Loop twins: the equations of every layer, written as plain loops. Slow on purpose.

Each does what its readable twin does, without a single trick, so that the tests can compare the two. They know
neither caches nor errors: a gradient takes dy and the arguments of the forward pass. A convolution with a ReLU is
`conv2d`, then `relu`. Dropout takes the mask `keep` in place of a random generator.
"""

import math

import numpy as np


def conv2d(x, weight, bias):
    """Return y of `conv2d_forward`."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1), x.dtype)
    for n, f, h, w in np.ndindex(y.shape):
        y[n, f, h, w] = bias[f] + np.sum(weight[f] * x[n, :, h : h + KH, w : w + KW])
    return y


def conv2d_gradients(dy, x, weight):
    """Return dx, dweight, dbias of `conv2d_backward`."""
    dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros(len(weight), x.dtype)
    KH, KW = weight.shape[2:]
    for n, f, h, w in np.ndindex(dy.shape):
        dx[n, :, h : h + KH, w : w + KW] += weight[f] * dy[n, f, h, w]
        dweight[f] += x[n, :, h : h + KH, w : w + KW] * dy[n, f, h, w]
        dbias[f] += dy[n, f, h, w]
    return dx, dweight, dbias


def relu(x):
    """Return y of `relu_forward`."""
    y = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        if x[place] > 0:
            y[place] = x[place]
    return y


def relu_gradient(dy, x):
    """Return dx of `relu_backward`."""
    dx = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        if x[place] > 0:
            dx[place] = dy[place]
    return dx


def max_pool(x):
    """Return y of `max_pool_forward`."""
    N, C, H, W = x.shape
    y = np.zeros((N, C, H // 2, W // 2), x.dtype)
    for n, c, h, w in np.ndindex(y.shape):
        y[n, c, h, w] = x[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].max()
    return y


def max_pool_gradient(dy, x):
    """Return dx of `max_pool_backward`."""
    dx = np.zeros_like(x)
    for n, c, h, w in np.ndindex(dy.shape):
        window = x[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]
        i, j = divmod(int(window.argmax()), 2)  # argmax returns the first winner, row by row
        dx[n, c, 2 * h + i, 2 * w + j] = dy[n, c, h, w]
    return dx


def up_conv(x, weight, bias):
    """Return y of `up_conv_forward`."""
    N, C, H, W = x.shape
    F = weight.shape[1]
    y = np.zeros((N, F, 2 * H, 2 * W), x.dtype) + bias[:, None, None]
    for n, c, h, w in np.ndindex(x.shape):
        y[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2] += weight[c] * x[n, c, h, w]
    return y


def up_conv_gradients(dy, x, weight):
    """Return dx, dweight, dbias of `up_conv_backward`."""
    dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros(weight.shape[1], x.dtype)
    for n, c, h, w in np.ndindex(x.shape):
        block = dy[n, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]  # (F, 2, 2)
        dx[n, c, h, w] = np.sum(weight[c] * block)
        dweight[c] += x[n, c, h, w] * block
    for n, f, h, w in np.ndindex(dy.shape):
        dbias[f] += dy[n, f, h, w]
    return dx, dweight, dbias


def crop_concat(skip, x):
    """Return y of `crop_concat_forward`."""
    N, S, SH, SW = skip.shape
    _, C, H, W = x.shape
    top, left = (SH - H) // 2, (SW - W) // 2
    y = np.zeros((N, S + C, H, W), x.dtype)
    for n, k, h, w in np.ndindex(y.shape):
        y[n, k, h, w] = skip[n, k, top + h, left + w] if k < S else x[n, k - S, h, w]
    return y


def crop_concat_gradients(dy, skip, x):
    """Return dskip, dx of `crop_concat_backward`."""
    _, S, SH, SW = skip.shape
    H, W = x.shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    dskip, dx = np.zeros_like(skip), np.zeros_like(x)
    for n, k, h, w in np.ndindex(dy.shape):
        if k < S:
            dskip[n, k, top + h, left + w] = dy[n, k, h, w]
        else:
            dx[n, k - S, h, w] = dy[n, k, h, w]
    return dskip, dx


def batch_norm(x, gamma, beta, epsilon):
    """Return y of `batch_norm_forward`."""
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        mean, std = _mean_and_std(x[:, c], epsilon)
        for n, h, w in np.ndindex(x[:, c].shape):
            y[n, c, h, w] = gamma[c] * (x[n, c, h, w] - mean) / std + beta[c]
    return y


def batch_norm_gradients(dy, x, gamma, epsilon):
    """Return dx, dgamma, dbeta of `batch_norm_backward`.

    Pixel by pixel, as the chain rule has it: a pixel i of x moves every pixel j of y, by its own share (only where
    i = j), by the mean, and by the standard deviation.
    """
    dx, dgamma, dbeta = np.zeros_like(x), np.zeros_like(gamma), np.zeros_like(gamma)
    for c in range(x.shape[1]):
        mean, std = _mean_and_std(x[:, c], epsilon)
        pixels = list(np.ndindex(x[:, c].shape))
        M = len(pixels)
        for i in pixels:
            for j in pixels:
                dmean = 1 / M
                dstd = (x[:, c][i] - mean) / (M * std)
                itself = 1 if i == j else 0
                dx_hat = (itself - dmean) / std - (x[:, c][j] - mean) * dstd / std**2
                dx[:, c][i] += dy[:, c][j] * gamma[c] * dx_hat
            dgamma[c] += dy[:, c][i] * (x[:, c][i] - mean) / std
            dbeta[c] += dy[:, c][i]
    return dx, dgamma, dbeta


def dropout(x, keep, rate):
    """Return y of `dropout_forward`; `keep` is the mask of its cache."""
    y = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        if keep[place]:
            y[place] = x[place] / (1 - rate)
    return y


def dropout_gradient(dy, keep, rate):
    """Return dx of `dropout_backward`."""
    dx = np.zeros_like(dy)
    for place in np.ndindex(dy.shape):
        if keep[place]:
            dx[place] = dy[place] / (1 - rate)
    return dx


def softmax_cross_entropy(logits, labels, weights):
    """Return the loss of `softmax_cross_entropy_forward`; no logit may be so large that exp overflows."""
    N, _, H, W = logits.shape
    loss = 0.0
    for n, h, w in np.ndindex(labels.shape):
        if weights[n, h, w] != 0:
            p = _softmax(logits[n, :, h, w])
            loss += weights[n, h, w] * -math.log(p[labels[n, h, w]])
    return loss / (N * H * W)


def softmax_cross_entropy_gradient(dloss, logits, labels, weights):
    """Return dlogits of `softmax_cross_entropy_backward`."""
    N, K, H, W = logits.shape
    dlogits = np.zeros_like(logits)
    for n, h, w in np.ndindex(labels.shape):
        p = _softmax(logits[n, :, h, w])
        for k in range(K):
            onehot = 1 if labels[n, h, w] == k else 0
            dlogits[n, k, h, w] = dloss * weights[n, h, w] / (N * H * W) * (p[k] - onehot)
    return dlogits


def _mean_and_std(pixels, epsilon):
    """Return the mean of an array of pixels, and sqrt(variance + epsilon)."""
    mean = sum(pixels.ravel()) / pixels.size
    variance = sum((pixel - mean) ** 2 for pixel in pixels.ravel()) / pixels.size
    return mean, math.sqrt(variance + epsilon)


def _softmax(logits):
    """Return the probabilities of one pixel, (K,)."""
    powers = [math.exp(logit) for logit in logits]
    return [power / sum(powers) for power in powers]
