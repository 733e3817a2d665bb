"""The same batch normalisation and ReLU as in `layers/conv_norm_relu.py`, by rows: in two passes each way.

The convolution before it has made x for nobody else, so x_hat takes its place in memory.

    forward     statistics of each band, put together         x -> mean, variance
                x_hat = (x - mean) / std                      in place of x
                y     = relu(gamma x_hat + beta)              while x_hat is in cache

    backward    dx    = dy where y > 0                        and its sums, dbeta and dgamma = sum dx x_hat
                dx    = gamma / std (dx - dbeta / M - x_hat dgamma / M)             in place

Squares are summed about the mean of their own band, which loses no digits where a channel's mean is much larger than
its deviation. With n_b pixels in band b, as Chan, Golub and LeVeque add up variances (1979):

    variance = 1 / M  sum_b (squares_b + n_b (mean_b - mean)^2)

The sums over bands are in float64.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.direct import relu, sum_of_pixels
from minunet.fast.cpu.parallel import in_parallel
from minunet.layers.batch_norm import BatchNormCache


def norm_relu_forward(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, BatchNormCache]:
    """Return y (N, C, H, W) and the cache; x is overwritten by x_hat if it lies by rows."""
    N, C, H, W = x.shape
    y = by_rows.empty(N, C, H, W, x.dtype)
    x_rows, y_rows, parts = rows_of(x), rows_of(y), bands(N, H, C * W)
    mean, variance = _statistics(x_rows, parts)
    factor = 1 / np.sqrt(variance + float(epsilon))

    def work(band: Band) -> None:
        n, start, stop = band
        x_hat, out = x_rows[n, start:stop], y_rows[n, start:stop]
        x_hat -= mean[:, None]
        x_hat *= factor[:, None]
        np.multiply(x_hat, gamma[:, None], out=out)
        out += beta[:, None]
        relu(out)

    in_parallel(work, parts)
    return y, BatchNormCache(x_rows.transpose(0, 2, 1, 3), gamma, mean, variance, epsilon)


def norm_relu_backward(dy: Array, y: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,) and dbeta (C,); y is the output of `norm_relu_forward`."""
    x_hat, gamma, _, variance, epsilon = cache
    N, C, H, W = x_hat.shape
    dx = by_rows.empty(N, C, H, W, x_hat.dtype)
    dy_rows, y_rows, x_rows = (x.transpose(0, 2, 1, 3) for x in (dy, y, x_hat))
    dx_rows, parts = rows_of(dx), bands(N, H, C * W)

    def through_relu(band: Band) -> Array:
        n, start, stop = band
        gate = memory.empty((stop - start, C, W), bool)
        out = dx_rows[n, start:stop]
        np.greater(y_rows[n, start:stop], 0, out=gate)
        np.multiply(dy_rows[n, start:stop], gate, out=out)
        return np.stack([_sum_of_products(out, x_rows[n, start:stop]), sum_of_pixels(out)])

    dgamma, dbeta = _in_float64(in_parallel(through_relu, parts)).sum(axis=0)  # (C,) each
    factor = gamma / np.sqrt(variance + float(epsilon))
    along_x_hat = (dgamma / (N * H * W) * factor).astype(dx.dtype)
    constant = (dbeta / (N * H * W) * factor).astype(dx.dtype)

    def through_statistics(band: Band) -> None:
        n, start, stop = band
        out = dx_rows[n, start:stop]
        product = memory.empty(out.shape, out.dtype)
        np.multiply(x_rows[n, start:stop], along_x_hat[:, None], out=product)
        product += constant[:, None]
        out *= factor[:, None]
        out -= product

    in_parallel(through_statistics, parts)
    return dx, dgamma.astype(dx.dtype), dbeta.astype(dx.dtype)


def _statistics(rows: Array, parts: list[Band]) -> tuple[Array, Array]:
    """Return mean and variance, (C,) each, of rows (N, H, C, W)."""

    def work(band: Band) -> Array:
        x = rows[band.image, band.start : band.stop]
        mean = sum_of_pixels(x) / x[:, 0].size
        centred = memory.empty(x.shape, x.dtype)
        np.subtract(x, mean[:, None], out=centred)
        return np.stack([mean, _sum_of_products(centred, centred)])

    means, squares = _in_float64(in_parallel(work, parts)).swapaxes(0, 1)  # (bands, C) each
    pixels = rows.shape[3] * np.array([band.stop - band.start for band in parts])[:, None]
    M = pixels.sum()
    mean = (pixels * means).sum(axis=0) / M
    variance = (squares + pixels * (means - mean) ** 2).sum(axis=0) / M
    return mean.astype(rows.dtype), variance.astype(rows.dtype)


def _sum_of_products(a: Array, b: Array) -> Array:
    """Return the sum over rows and columns, (C,), of a * b, both (rows, C, W)."""
    return np.einsum("hcw,hcw->hc", a, b).sum(axis=0)


def _in_float64(arrays: list[Array]) -> Array:
    return np.stack(arrays).astype(np.float64)
