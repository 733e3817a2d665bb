"""The same batch normalisation and ReLU as in `layers/conv_norm_relu.py`, by rows: in two passes each way.

The convolution before it has made x for nobody else, so x_hat takes its place in memory.

    forward     statistics of each band, put together         x -> mean, variance
                x_hat = (x - mean) / std                      in place of x
                y     = relu(gamma x_hat + beta)              while x_hat is in cache

    backward    du    = dy where y > 0                        and its sums, dbeta and dgamma = sum du x_hat
                du   -= dbeta / M + x_hat dgamma / M          in place

What is left to do is dx = (gamma / std) du. That is one number for each channel, so it is given to the kernels of the
convolution, which are fewer than the pixels: `norm_relu_backward` returns the factor.

Squares are summed about the mean of their own band, which loses no digits where a channel's mean is much larger than
its deviation. With n_b pixels in band b, as Chan, Golub and LeVeque add up variances (1979):

    variance = 1 / M  sum_b (squares_b + n_b (mean_b - mean)^2)

The sums over bands are in float64. Below a row of an image is one axis, (C W,), and so is a number for each channel,
repeated for each pixel of the row: NumPy is quicker on one long axis than on many short ones.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, along_row, bands, rows_of
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
    mean_of_row, factor_of_row, gamma_of_row, beta_of_row = (along_row(v, W) for v in (mean, factor, gamma, beta))

    def work(band: Band) -> None:
        x_hat, out = _of_band(x_rows, band), _of_band(y_rows, band)  # (rows, C W)
        x_hat -= mean_of_row
        x_hat *= factor_of_row
        np.multiply(x_hat, gamma_of_row, out=out)
        out += beta_of_row
        relu(out)

    in_parallel(work, parts)
    return y, BatchNormCache(x_rows.transpose(0, 2, 1, 3), gamma, mean, variance, epsilon)


def norm_relu_backward(dy: Array, y: Array, cache: BatchNormCache) -> tuple[Array, Array, Array, Array]:
    """Return du (N, C, H, W), the factor (C,) with dx = factor du, dgamma (C,) and dbeta (C,).

    y is the output of `norm_relu_forward`.
    """
    x_hat, gamma, _, variance, epsilon = cache
    N, C, H, W = x_hat.shape
    dtype = x_hat.dtype
    du = by_rows.empty(N, C, H, W, dtype)
    dy_rows, y_rows, x_rows, du_rows = (rows_of(x) for x in (dy, y, x_hat, du))
    parts = bands(N, H, C * W)

    def through_relu(band: Band) -> Array:
        out = _of_band(du_rows, band)
        gate = memory.empty(out.shape, bool)
        np.greater(_of_band(y_rows, band), 0, out=gate)
        np.multiply(_of_band(dy_rows, band), gate, out=out)
        out = out.reshape(-1, C, W)
        return np.stack([_sum_of_products(out, x_rows[band.image, band.start : band.stop]), sum_of_pixels(out)])

    dgamma, dbeta = _in_float64(in_parallel(through_relu, parts)).sum(axis=0)  # (C,) each
    M = N * H * W
    slope, constant = (along_row((total / M).astype(dtype), W) for total in (dgamma, dbeta))

    def through_statistics(band: Band) -> None:
        out = _of_band(du_rows, band)
        lost = memory.empty(out.shape, dtype)
        np.multiply(_of_band(x_rows, band), slope, out=lost)
        lost += constant
        out -= lost

    in_parallel(through_statistics, parts)
    factor = (gamma / np.sqrt(variance + float(epsilon))).astype(dtype)
    return du, factor, dgamma.astype(dtype), dbeta.astype(dtype)


def _statistics(rows: Array, parts: list[Band]) -> tuple[Array, Array]:
    """Return mean and variance, (C,) each, of rows (N, H, C, W)."""
    C, W = rows.shape[2:]

    def work(band: Band) -> Array:
        x = rows[band.image, band.start : band.stop]
        mean = sum_of_pixels(x) / x[:, 0].size
        centred = memory.empty((len(x), C * W), x.dtype)
        np.subtract(_of_band(rows, band), along_row(mean, W), out=centred)
        centred = centred.reshape(x.shape)
        return np.stack([mean, _sum_of_products(centred, centred)])

    means, squares = _in_float64(in_parallel(work, parts)).swapaxes(0, 1)  # (bands, C) each
    pixels = W * np.array([band.stop - band.start for band in parts])[:, None]
    M = pixels.sum()
    mean = (pixels * means).sum(axis=0) / M
    variance = (squares + pixels * (means - mean) ** 2).sum(axis=0) / M
    return mean.astype(rows.dtype), variance.astype(rows.dtype)


def _of_band(rows: Array, band: Band) -> Array:
    """Return the rows of a band, (rows, C W), of rows (N, H, C, W): a view."""
    part = rows[band.image, band.start : band.stop]
    return part.reshape(len(part), -1)


def _sum_of_products(a: Array, b: Array) -> Array:
    """Return the sum over rows and columns, (C,), of a * b, both (rows, C, W)."""
    return np.einsum("hcw,hcw->hc", a, b).sum(axis=0)


def _in_float64(arrays: list[Array]) -> Array:
    return np.stack(arrays).astype(np.float64)
