"""Winograd's convolution for arrays of any kind, on CuPy: it takes over where the CUDA kernels are not wanted."""

import numpy as np
import pytest

from minunet.backend import array_module, to_device, to_host
from minunet.fast import conv
from minunet.fast.plan import ONE_PART, plan
from minunet.layers import conv2d_relu_backward, conv2d_relu_forward

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("shape", [(2, 5, 4, 7, 6), (2, 6, 2, 23, 14), (1, 3, 2, 10, 18)], ids=str)  # N, C, F, H, W
def test_winograd_equals_the_readable_way(rng, monkeypatch, shape):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    N, C, F, H, W = shape
    sizes = (N, C, H, W), (F, C, 3, 3), (F,), (N, F, H - 2, W - 2)
    x, weight, bias, dy = (rng.standard_normal(size) for size in sizes)
    expected_y, expected_cache = conv2d_relu_forward(x, weight, bias)
    expected = expected_y, *conv2d_relu_backward(dy, expected_cache)

    x, weight, bias, dy = to_device([x, weight, bias, dy], "gpu")
    way, split = plan(x, weight, backward=False)
    assert way.startswith("winograd") and split == ONE_PART
    y, cache = conv.conv2d_relu_forward(x, weight, bias)
    for result, wanted in zip((y, *conv.conv2d_relu_backward(dy, cache)), expected, strict=True):
        assert array_module(result).__name__ == "cupy"
        np.testing.assert_allclose(to_host(result), wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
