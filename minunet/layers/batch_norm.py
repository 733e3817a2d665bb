"""Batch normalisation: every channel gets mean 0 and variance 1, then a scale and a shift that are learned.

    mean[c]       = 1/M  sum_{n,h,w}  x[n,c,h,w]                        with M = N * H * W
    variance[c]   = 1/M  sum_{n,h,w} (x[n,c,h,w] - mean[c])**2
    x_hat         = (x - mean[c]) / sqrt(variance[c] + epsilon)
    y             = gamma[c] * x_hat + beta[c]

    dbeta[c]      = sum_{n,h,w}  dy[n,c,h,w]
    dgamma[c]     = sum_{n,h,w}  dy[n,c,h,w] * x_hat[n,c,h,w]
    dx            = gamma[c] / sqrt(variance[c] + epsilon) * (dy - dbeta[c] / M - x_hat * dgamma[c] / M)

The statistics are those of the batch, over all its images and pixels, so a batch of one image will do. They depend on
x, and that is where the two last terms of dx come from. A constant added to x changes nothing in y, and neither does
a factor (but for epsilon). So dx has no part along the constant, which dbeta / M takes away, and none along x_hat,
which the other term takes away. dx sums to 0 over a channel.

A prediction must not depend on the other images of a batch. There the mean and the variance are constants: running
averages, which `update_running` collects during training. Then the layer is a factor and a shift for each channel,
and `fold_batch_norm` puts both into the convolution before it. At prediction the layer costs nothing.

From Ioffe and Szegedy, "Batch Normalization" (2015), algorithms 1 and 2; the paper of the U-Net does not have it.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module, is_number
from minunet.errors import InputError
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_batch_norm, check_fold, check_gradient, check_running

EPSILON = 1e-5  # PyTorch's


class BatchNormCache(NamedTuple):
    x_hat: Array  # (N, C, H, W)
    gamma: Array  # (C,)
    mean: Array  # (C,): the backward pass does not need it, the running average does
    variance: Array  # (C,)
    epsilon: float


def batch_norm_forward(x: Array, gamma: Array, beta: Array, epsilon: float = EPSILON) -> tuple[Array, BatchNormCache]:
    """Normalise every channel by the statistics of this batch: the forward pass of training.

    Parameters
    ----------
    x : array, (N, C, H, W)
    gamma : array, (C,)
        The scale of each channel; ones at the start.
    beta : array, (C,)
        The shift of each channel; zeros at the start.
    epsilon : float, above 0
        Keeps a channel of equal pixels, whose variance is 0, from a division by zero.

    Returns
    -------
    y : array, (N, C, H, W)
    cache : BatchNormCache

    Raises
    ------
    InputError
        If a shape does not fit, a channel has less than two pixels, or `epsilon` is not above 0.
    """
    check_batch_norm(x, gamma, beta, epsilon)
    mean = x.mean(axis=(0, 2, 3))  # (C,)
    centred = x - _per_channel(mean)
    variance = (centred**2).mean(axis=(0, 2, 3))  # (C,)
    x_hat = centred / _per_channel(_std(variance, epsilon))
    y = _per_channel(gamma) * x_hat + _per_channel(beta)
    return y, BatchNormCache(x_hat, gamma, mean, variance, epsilon)


def batch_norm_backward(dy: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Go back through the scale, then through the normalisation and its statistics.

    Parameters
    ----------
    dy : array, (N, C, H, W)
    cache : BatchNormCache

    Returns
    -------
    dx : array, (N, C, H, W)
    dgamma : array, (C,)
    dbeta : array, (C,)
    """
    check_cache(cache, BatchNormCache)
    x_hat, gamma, _, variance, epsilon = cache
    check_gradient(dy, x_hat.shape, x_hat)
    dbeta = dy.sum(axis=(0, 2, 3), dtype=x_hat.dtype)  # (C,)
    dgamma = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    M = _pixels(x_hat)
    dx = dy - _per_channel(dbeta / M) - x_hat * _per_channel(dgamma / M)
    dx = dx * _per_channel(gamma / _std(variance, epsilon))
    return dx, dgamma, dbeta


def update_running(
    running_mean: Array, running_variance: Array, cache: BatchNormCache, momentum: float = 0.1
) -> tuple[Array, Array]:
    """Move the running averages a little towards the statistics of a batch; call it once for each step of training.

        running_mean      =  (1 - momentum) * running_mean      +  momentum * mean
        running_variance  =  (1 - momentum) * running_variance  +  momentum * variance * M / (M - 1)

    The factor M / (M - 1) makes the variance unbiased: M pixels lie nearer to their own mean than to the true one.
    Start with a mean of zeros and a variance of ones.

    Parameters
    ----------
    running_mean, running_variance : array, (C,)
    cache : BatchNormCache
        Of the forward pass of this step.
    momentum : float, 0 <= momentum <= 1
        The share of the *new* statistics, as in PyTorch. (In the momentum of an optimiser it is the share of the old.)

    Returns
    -------
    running_mean, running_variance : array, (C,), both fresh
    """
    check_cache(cache, BatchNormCache)
    if not is_number(momentum) or not 0 <= momentum <= 1:
        raise InputError(
            f"momentum must be in 0..1, got {momentum!r}; it is the share of the new statistics, usually 0.1"
        )
    check_running(cache.gamma, running_mean=running_mean, running_variance=running_variance)
    momentum = float(momentum)  # a NumPy scalar would turn float32 into float64
    M = _pixels(cache.x_hat)
    mean = (1 - momentum) * running_mean + momentum * cache.mean
    variance = (1 - momentum) * running_variance + momentum * (M / (M - 1)) * cache.variance
    return mean, variance


def batch_norm_predict(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_variance: Array, epsilon: float = EPSILON
) -> Array:
    """Normalise by the running averages: what the layer does at prediction. Returns y, (N, C, H, W)."""
    check_batch_norm(x, gamma, beta, epsilon, least_pixels=1)
    check_running(gamma, running_mean=running_mean, running_variance=running_variance)
    factor = gamma / _std(running_variance, epsilon)  # (C,)
    return _per_channel(factor) * (x - _per_channel(running_mean)) + _per_channel(beta)


def fold_batch_norm(
    weight: Array,
    bias: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_variance: Array,
    epsilon: float = EPSILON,
) -> tuple[Array, Array]:
    """Return weight and bias of the one convolution that does what a convolution and `batch_norm_predict` do.

    With factor[f] = gamma[f] / sqrt(running_variance[f] + epsilon):

        weight[f]  ->  weight[f] * factor[f]
        bias[f]    ->  (bias[f] - running_mean[f]) * factor[f] + beta[f]

    Parameters
    ----------
    weight : array, (F, C, KH, KW)
    bias, gamma, beta, running_mean, running_variance : array, (F,)
    epsilon : float

    Returns
    -------
    weight : array, (F, C, KH, KW)
    bias : array, (F,)
    """
    vectors = {"gamma": gamma, "beta": beta, "running_mean": running_mean, "running_variance": running_variance}
    check_fold(weight, epsilon, bias=bias, **vectors)
    factor = gamma / _std(running_variance, epsilon)
    return weight * factor[:, None, None, None], (bias - running_mean) * factor + beta


def _pixels(x: Array) -> int:
    N, _, H, W = x.shape
    return N * H * W


def _std(variance: Array, epsilon: float) -> Array:
    return array_module(variance).sqrt(variance + float(epsilon))


def _per_channel(vector: Array) -> Array:
    """Return (C,) as (C, 1, 1), which fits to (N, C, H, W)."""
    return vector[:, None, None]
