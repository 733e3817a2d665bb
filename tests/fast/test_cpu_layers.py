"""Max-pool, up-convolution and crop-concat in parts give what the readable layers give, and raise the same errors."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import InputError
from minunet.fast import thresholds
from minunet.fast.cpu import crop_concat as fast_crop_concat
from minunet.fast.cpu import pool as fast_pool
from minunet.fast.cpu import up_conv as fast_up_conv
from minunet.layers import crop_concat, pool, up_conv


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
