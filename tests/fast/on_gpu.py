"""What the tests of the CUDA kernels on a GPU share."""

import numpy as np

from minunet.backend import array_module, to_device, to_host


def on_device(x):
    return to_device(x, "gpu")


def assert_same(result, expected, tolerance=0.0):
    assert array_module(result).__name__ == "cupy"
    assert result.dtype == expected.dtype and result.shape == expected.shape
    np.testing.assert_allclose(to_host(result), expected, rtol=tolerance, atol=tolerance)


def convolution(rng, shape, dtype):
    """Return x, weight, bias and dy; the shape is N, C, F, H, W."""
    N, C, F, H, W = shape
    sizes = (N, C, H, W), (F, C, 3, 3), (F,), (N, F, H - 2, W - 2)
    return [rng.standard_normal(size).astype(dtype) for size in sizes]
