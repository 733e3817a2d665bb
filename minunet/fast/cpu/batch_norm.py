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

The sums over bands are in float64. Two processes may have an image each of a batch: then each gets what the other one
found on its bands (`exchanging`), and nothing else that they do depends on the other image.

Below a row of an image is one axis, (C W,), and so is a number for each channel, repeated for each pixel of the row:
NumPy is quicker on one long axis than on many short ones.
"""

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, along_row, bands, rows_of
from minunet.fast.cpu.direct import relu, sum_of_pixels
from minunet.fast.cpu.parallel import in_parallel
from minunet.layers.batch_norm import BatchNormCache

# Set by `exchanging` rather than passed: the layers between it and the normalisations need not know of it
_exchange = contextvars.ContextVar[Callable[[Array], Array] | None]("_exchange", default=None)


@contextmanager
def exchanging(exchange: Callable[[Array], Array]) -> Iterator[None]:
    """Normalise by the statistics of more images than these, in this thread, until the block ends.

    `exchange` takes what was found on the bands of these images, (bands, ...), and returns it for the bands of all, in
    their order. All images have the same size.
    """
    before = _exchange.set(exchange)
    try:
        yield
    finally:
        _exchange.reset(before)


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


def norm_relu_backward(dy: Array, y: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dgamma (C,) and dbeta (C,); y is the output of `norm_relu_forward`.

    Within `exchanging` dgamma and dbeta are sums over the images of both processes.
    """
    x_hat, gamma, _, variance, epsilon = cache
    N, C, H, W = x_hat.shape
    dtype = x_hat.dtype
    dx = by_rows.empty(N, C, H, W, dtype)
    dy_rows, y_rows, x_rows, dx_rows = (rows_of(x) for x in (dy, y, x_hat, dx))
    parts = bands(N, H, C * W)

    def through_relu(band: Band) -> Array:
        out = _of_band(dx_rows, band)
        gate = memory.empty(out.shape, bool)
        np.greater(_of_band(y_rows, band), 0, out=gate)
        np.multiply(_of_band(dy_rows, band), gate, out=out)
        out = out.reshape(-1, C, W)
        return np.stack([_sum_of_products(out, x_rows[band.image, band.start : band.stop]), sum_of_pixels(out)])

    sums = _of_all_bands(in_parallel(through_relu, parts))  # (bands, 2, C)
    dgamma, dbeta = sums.sum(axis=0)  # (C,) each
    M = N * H * W * len(sums) // len(parts)
    factor = gamma / np.sqrt(variance + float(epsilon))
    numbers = (factor, factor * dgamma / M, factor * dbeta / M)
    factor, slope, constant = (along_row(x.astype(dtype), W) for x in numbers)

    def through_statistics(band: Band) -> None:
        out = _of_band(dx_rows, band)
        lost = memory.empty(out.shape, dtype)
        np.multiply(_of_band(x_rows, band), slope, out=lost)
        lost += constant
        out *= factor
        out -= lost

    in_parallel(through_statistics, parts)
    return dx, dgamma.astype(dtype), dbeta.astype(dtype)


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

    means, squares = _of_all_bands(in_parallel(work, parts)).swapaxes(0, 1)  # (bands, C) each
    own = [W * (band.stop - band.start) for band in parts]
    pixels = np.array(own * (len(means) // len(own)))[:, None]
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


def _of_all_bands(found: list[Array]) -> Array:
    """Return what was found on each band as one array in float64, with that of other processes."""
    of_bands, exchange = np.stack(found).astype(np.float64), _exchange.get()
    return of_bands if exchange is None else exchange(of_bands)
