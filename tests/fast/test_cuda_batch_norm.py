"""Batch normalisation and its ReLU by CUDA kernels equal the readable ones; on a GPU or the fake driver."""

import numpy as np
import pytest

from minunet.backend import to_device, to_host
from minunet.fast.cuda import batch_norm as kernels
from minunet.layers import conv_norm_relu as readable

pytestmark = pytest.mark.gpu
SHAPES = [  # N, C, H, W
    (2, 3, 5, 7),
    (1, 1, 1, 2),
    (3, 2, 40, 30),
    (2, 5, 64, 64),  # a whole slab
    (2, 3, 91, 90),  # two slabs of unequal length
    (300, 2, 2, 3),  # more slabs than a block has threads
]


TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}


def both_ways(module, x, gamma, beta, dy, device):
    """Return y, the mean, the variance, x_hat, dx, dgamma and dbeta."""
    x, gamma, beta, dy = (to_device(np.array(array), device) for array in (x, gamma, beta, dy))
    y, cache = module.norm_relu_forward(x, gamma, beta, 1e-3)
    results = y, cache[0].mean, cache[0].variance, cache[0].x_hat, *module.norm_relu_backward(dy, cache)
    return [to_host(result) for result in results]


def assert_close(results, expected, tolerance):
    for result, value in zip(results, expected, strict=True):
        assert result.dtype == value.dtype
        np.testing.assert_allclose(result, value, rtol=0, atol=tolerance * max(1, np.abs(value).max()))


@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways(rng, index, dtype, shape):
    tolerance = TOLERANCE[dtype]
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    x *= 1 + np.arange(shape[1], dtype=dtype)[:, None, None]  # no two channels are alike
    dy += dtype(0.3)
    results = both_ways(kernels, x, gamma, beta, dy, "gpu")
    in_double = (array.astype(float) for array in (x, gamma, beta, dy))
    expected = [value.astype(dtype) for value in both_ways(readable, *in_double, "cpu")]
    sums = np.sqrt(x.size / shape[1])  # what dgamma and dbeta add up may cancel
    assert_close(results[:5], expected[:5], 4 * tolerance)
    assert_close(results[5:], expected[5:], sums * tolerance)


@pytest.mark.parametrize("shape", SHAPES[2:])
def test_a_mean_far_from_zero_costs_no_digits(rng, shape):
    """In float32 the mean of the squares less the square of the mean would have none left."""
    x = (rng.standard_normal(shape) + 3000).astype(np.float32)
    x[0, :, 0, 0] = 3100  # the first pixel is far from the others
    ones, zeros = np.ones(shape[1], np.float32), np.zeros(shape[1], np.float32)
    _, mean, variance, *_ = both_ways(kernels, x, ones, zeros, x, "gpu")
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3), dtype=float), rtol=2e-7)
    np.testing.assert_allclose(variance, x.var(axis=(0, 2, 3), dtype=float), rtol=1e-4)


def test_equal_pixels_and_numbers_that_are_none(rng):
    x = rng.standard_normal((2, 3, 70, 80)).astype(np.float32)
    x[:, 0], x[1, 1, 5, 6] = 7.25, np.nan
    ones, dy = np.ones(3, np.float32), rng.standard_normal(x.shape).astype(np.float32)
    y, mean, variance, *_, dx, dgamma, dbeta = both_ways(kernels, x, ones, ones, dy, "gpu")
    assert mean[0] == 7.25 and variance[0] == 0 and (y[:, 0] == 1).all()
    assert (
        np.isnan(y[:, 1]).all() and np.isnan(dgamma[1]) and np.isfinite(y[:, 2]).all() and np.isfinite(dx[:, 2]).all()
    )


def test_any_layout_is_read_right(rng):
    x, dy = rng.standard_normal((2, 2, 3, 9, 11))
    gamma, beta = rng.standard_normal((2, 3))
    expected = both_ways(readable, x, gamma, beta, dy, "cpu")
    x_gpu, dy_gpu = (to_device(array.transpose(0, 2, 3, 1).copy(), "gpu").transpose(0, 3, 1, 2) for array in (x, dy))
    y, cache = kernels.norm_relu_forward(x_gpu, *to_device((gamma, beta), "gpu"), 1e-3)
    results = [to_host(result) for result in (y, *kernels.norm_relu_backward(dy_gpu, cache))]
    assert_close(results, [expected[0], *expected[4:]], 1e-13)
