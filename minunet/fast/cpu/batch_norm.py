"""Batch normalisation and the ReLU after it, on images that lie by rows, band by band: a band stays in a core's cache.

A pass over the memory ends where the statistics of all pixels are needed. So there are two passes each way:

    forward     mean and squared distances of each band, put together to those of the whole
                x_hat, in place of x, and y = relu(gamma * x_hat + beta)
    backward    dy where the ReLU was open, and its sums dbeta and dgamma
                dx = gamma / sqrt(variance + epsilon) * (dy - dbeta / M - x_hat * dgamma / M)

Sums are taken along the rows in the dtype of x, and of all rows in float64, in the order of the bands: so the result
is the same, bit for bit, on any number of cores.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows
from minunet.fast.cpu.parallel import in_parallel
from minunet.layers.batch_norm import BatchNormCache
from minunet.layers.relu import ReluCache


def norm_relu_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, tuple[BatchNormCache, ReluCache]]:
    """Return y (N, C, H, W) and the caches; x, which lies by rows, is overwritten by x_hat."""
    N, C, H, W = x.shape
    y = by_rows.empty(N, C, H, W, x.dtype)
    x_hat, out = _as_rows(x), _as_rows(y)
    mean, variance = _statistics(x_hat)
    scale = 1 / np.sqrt(variance + epsilon)
    zeros = np.zeros((C, W), x.dtype)  # quicker than the number 0

    def normalise(rows: slice) -> None:
        band, y_band = x_hat[rows], out[rows]
        band -= _column(mean, x)
        band *= _column(scale, x)
        np.multiply(band, _column(gamma, x), out=y_band)
        y_band += _column(beta, x)
        np.maximum(y_band, zeros, out=y_band)

    in_parallel(normalise, _bands(x_hat))
    norm_cache = BatchNormCache(x, gamma, mean.astype(x.dtype), variance.astype(x.dtype), epsilon)
    return y, (norm_cache, ReluCache(y))


def norm_relu_backward(dy: Array, norm_cache: BatchNormCache, relu_cache: ReluCache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), by rows, dgamma and dbeta (C,)."""
    x, gamma, _, variance, epsilon = norm_cache
    N, C, H, W = x.shape
    dx = by_rows.empty(N, C, H, W, x.dtype)
    x_hat, y, d, out = (_as_rows(array) for array in (x, relu_cache.y, dy, dx))

    def open_only(rows: slice) -> tuple[Array, Array]:
        np.multiply(d[rows], y[rows] > 0, out=out[rows])
        return _sum(out[rows].sum(axis=2)), _sum(np.einsum("rcw,rcw->rc", out[rows], x_hat[rows]))

    bands = _bands(x_hat)
    sums = in_parallel(open_only, bands)
    dbeta, dgamma = (sum(parts) for parts in zip(*sums, strict=True))
    M = N * H * W
    scale = gamma / np.sqrt(variance + epsilon)

    def through_the_statistics(rows: slice) -> None:
        band = out[rows]
        band -= x_hat[rows] * _column(dgamma / M, x)
        band -= _column(dbeta / M, x)
        band *= _column(scale, x)

    in_parallel(through_the_statistics, bands)
    return dx, dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def _statistics(x: Array) -> tuple[Array, Array]:
    """Return mean and variance, (C,) each in float64, of x (rows, C, W).

    A band's squared distances are taken from its own mean, so nothing cancels where the mean is large:

        variance = 1/M sum_bands  squares[band] + pixels[band] * (mean[band] - mean)**2
    """

    def of_band(rows: slice) -> tuple[int, Array, Array]:
        band = x[rows]
        pixels = len(band) * band.shape[2]
        mean = _sum(band.sum(axis=2)) / pixels
        centred = band - _column(mean, x)
        return pixels, mean, _sum(np.einsum("rcw,rcw->rc", centred, centred))

    found: list = in_parallel(of_band, _bands(x))
    M = len(x) * x.shape[2]
    mean = sum(pixels * of_this for pixels, of_this, _ in found) / M
    variance = sum(squares + pixels * (of_this - mean) ** 2 for pixels, of_this, squares in found) / M
    return mean, variance


def _bands(x: Array) -> list[slice]:
    rows, C, W = x.shape
    return [slice(band.start, band.stop) for band in by_rows.bands(1, rows, C * W)]


def _as_rows(x: Array) -> Array:
    """Return x (N, C, H, W) as (N * H, C, W): a view if it lies by rows."""
    N, C, H, W = x.shape
    return by_rows.rows_of(x).reshape(N * H, C, W)


def _column(vector: Array, like: Array) -> Array:
    """Return (C,) as (C, 1), which fits to (rows, C, W), in the dtype of an array."""
    return vector.astype(like.dtype)[:, None]


def _sum(of_rows: Array) -> Array:
    """Return the sum of (rows, C) over the rows, in float64."""
    return of_rows.sum(axis=0, dtype=np.float64)
