"""Layers in parts give what the readable layers give, and raise the same errors: pool, up-convolution, batch norm."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import InputError
from minunet.backend import flatten, map_tree
from minunet.fast import conv as fast_conv
from minunet.fast import thresholds
from minunet.fast.cpu import batch_norm as fast_batch_norm
from minunet.fast.cpu import crop_concat as fast_crop_concat
from minunet.fast.cpu import pool as fast_pool
from minunet.fast.cpu import up_conv as fast_up_conv
from minunet.layers import conv_norm_relu, crop_concat, pool, up_conv


@pytest.fixture(params=[1, 100, 10**6], ids="bands of {}".format, autouse=True)
def bands_for_three_threads(request, monkeypatch):
    """Cut every layer, however small, into bands for three threads."""
    monkeypatch.setattr(thresholds, "BAND", request.param)
    with threadpool_limits(3, "blas"):
        yield


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_pool_in_parts(rng, dtype):
    x = rng.integers(0, 3, (2, 7, 6, 10)).astype(dtype)  # with ties
    x[0, 2, 3, 4] = np.nan
    y, cache = fast_pool.max_pool_forward(x)
    expected, expected_cache = pool.max_pool_forward(x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx, expected_dx = fast_pool.max_pool_backward(dy, cache), pool.max_pool_backward(dy, expected_cache)
    for result, wanted in ((y, expected), (dx, expected_dx)):
        assert result.dtype == wanted.dtype
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("H", [1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_up_conv_in_parts(rng, H, dtype):
    shapes = (2, 6, H, 5), (6, 4, 2, 2), (4,)
    args = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    y, cache = fast_up_conv.up_conv_forward(*args)
    expected, expected_cache = up_conv.up_conv_forward(*args)
    dy = rng.standard_normal(y.shape).astype(dtype)
    results = [y, *fast_up_conv.up_conv_backward(dy, cache)]
    for result, wanted in zip(results, [expected, *up_conv.up_conv_backward(dy, expected_cache)], strict=True):
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(
            result, wanted, rtol=0, atol=(1e-13 if dtype == np.float64 else 1e-5) * abs(wanted).max()
        )


@pytest.mark.parametrize(("S", "C"), [(5, 5), (2, 7), (7, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crop_concat_in_parts(rng, S, C, dtype):
    skip, x = (rng.standard_normal(shape).astype(dtype) for shape in ((2, S, 9, 8), (2, C, 4, 6)))
    y, cache = fast_crop_concat.crop_concat_forward(skip, x)
    expected, expected_cache = crop_concat.crop_concat_forward(skip, x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    gradients = fast_crop_concat.crop_concat_backward(dy, cache)
    expected_gradients = crop_concat.crop_concat_backward(dy, expected_cache)
    assert cache == expected_cache
    for result, wanted in zip((y, *gradients), (expected, *expected_gradients), strict=True):
        assert result.dtype == wanted.dtype
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("module", [crop_concat, fast_crop_concat], ids=["readable", "fast"])
def test_crop_concat_refuses_what_the_readable_one_refuses(rng, module):
    with pytest.raises(InputError, match="crop-concat needs a skip at least as large as x"):
        module.crop_concat_forward(rng.standard_normal((1, 2, 3, 4)), rng.standard_normal((1, 2, 4, 4)))
    y, cache = module.crop_concat_forward(rng.standard_normal((1, 2, 5, 4)), rng.standard_normal((1, 3, 4, 4)))
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.crop_concat_backward(y[:, 1:], cache)


@pytest.mark.parametrize("module", [pool, fast_pool], ids=["readable", "fast"])
def test_max_pool_refuses_what_the_readable_one_refuses(rng, module):
    with pytest.raises(InputError, match="max-pool needs even H and W, got H=3, W=4"):
        module.max_pool_forward(rng.standard_normal((1, 2, 3, 4)))
    _, cache = module.max_pool_forward(rng.standard_normal((1, 2, 4, 4)))
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.max_pool_backward(rng.standard_normal((1, 2, 4, 4)), cache)


@pytest.mark.parametrize("module", [up_conv, fast_up_conv], ids=["readable", "fast"])
def test_up_conv_refuses_what_the_readable_one_refuses(rng, module):
    x, weight, bias = (rng.standard_normal(shape) for shape in ((1, 3, 4, 4), (3, 2, 2, 2), (2,)))
    with pytest.raises(InputError, match="up-conv needs a 2x2 kernel"):
        module.up_conv_forward(x, weight[..., :1], bias)
    y, cache = module.up_conv_forward(x, weight, bias)
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.up_conv_backward(y[:, :1], cache)


@pytest.mark.parametrize("shape", [(2, 3, 9, 8), (1, 33, 12, 11), (1, 1, 4, 30), (3, 2, 3, 4)])
@pytest.mark.parametrize("with_dx", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 2e-4)])
def test_convolution_with_batch_norm_and_relu_in_parts(rng, shape, with_dx, dtype, tolerance):
    x, weight = rng.standard_normal(shape) + 5, rng.standard_normal((34, shape[1], 3, 3))
    args = [a.astype(dtype) for a in (x, weight, rng.standard_normal(34), rng.standard_normal(34))]
    before = [a.copy() for a in args]
    y, cache = fast_conv.conv2d_norm_relu_forward(*args)
    expected, expected_cache = conv_norm_relu.conv2d_norm_relu_forward(*args)
    dy = rng.standard_normal(y.shape).astype(dtype)
    kept = map_tree(np.copy, cache)
    results = [y, *cache[1][:4], *fast_conv.conv2d_norm_relu_backward(dy, cache, with_dx)]
    wanted = [expected, *expected_cache[1][:4]]
    wanted += conv_norm_relu.conv2d_norm_relu_backward(dy, expected_cache, with_dx)
    for result, array in zip(results, wanted, strict=True):
        assert (result is None) == (array is None)
        if array is not None:
            assert result.dtype == array.dtype == dtype
            np.testing.assert_allclose(result, array, rtol=0, atol=tolerance * max(abs(array).max(), 1e-3))
    for old, new in zip([*before, *flatten(kept).values()], [*args, *flatten(cache).values()], strict=True):
        np.testing.assert_array_equal(old, new)  # neither the arguments nor the cache have changed


def test_the_variance_in_float32_loses_no_digits_to_a_large_mean(rng):
    x = (1000 + rng.standard_normal((1, 4, 300, 70))).astype(np.float32)
    mean, variance = x.mean(axis=(0, 2, 3), dtype=np.float64), x.var(axis=(0, 2, 3), dtype=np.float64)
    _, cache = fast_batch_norm.norm_relu_forward(x.copy(), np.ones(4, np.float32), np.zeros(4, np.float32), 1e-5)
    np.testing.assert_allclose(cache.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(cache.variance, variance, rtol=1e-3)


@pytest.mark.parametrize("layers", [conv_norm_relu, fast_conv], ids=["readable", "fast"])
def test_convolution_with_batch_norm_refuses_what_does_not_fit(rng, layers):
    x, weight, vector = rng.standard_normal((1, 2, 5, 6)), rng.standard_normal((3, 2, 3, 3)), np.ones(3)
    _, cache = layers.conv2d_norm_relu_forward(x, weight, vector, vector)
    for call, message in (
        (lambda: layers.conv2d_norm_relu_forward(x[0], weight, vector, vector), r"x must have shape \(N, C, H, W\)"),
        (lambda: layers.conv2d_norm_relu_forward(x, weight[0], vector, vector), r"weight must have shape \(F, C, KH"),
        (
            lambda: layers.conv2d_norm_relu_forward(x, weight, vector[:2], vector),
            r"needs gamma of shape \(3,\), got",
        ),
        (lambda: layers.conv2d_norm_relu_forward(x, weight, vector, vector, 0), "epsilon must be above 0"),
        (lambda: layers.conv2d_norm_relu_backward(x, cache), r"dy must have the shape of the forward output"),
        (lambda: layers.conv2d_norm_relu_backward(x, cache[:2]), r"cache must be \(Conv2dCache, BatchNormCache, ReluC"),
    ):
        with pytest.raises(InputError, match=message):
            call()
