"""The CUDA kernels but the convolution's equal the readable layers on the CPU."""

import numpy as np
import pytest
from on_gpu import assert_same, on_device

from minunet import InputError, flatten
from minunet.backend import to_host
from minunet.fast.cuda import conv as conv_kernels
from minunet.fast.cuda import conv_1x1 as conv_1x1_kernels
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.fast.cuda import up_conv as up_conv_kernels
from minunet.layers import conv, crop_concat, loss, pool, relu, up_conv

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("no_choice", "index")]


def with_ties(rng, shape, dtype):
    """Return few different values, so that many windows are ties, and some pixels that are no numbers."""
    x = rng.integers(-1, 2, shape).astype(dtype)
    x[0, 0, :2, :3] = [[np.nan, -np.inf, 1], [2, 0, np.nan]]
    return x


@pytest.mark.parametrize("shape", [(2, 3, 6, 10), (1, 1, 2, 4), (3, 5, 74, 42)])
def test_max_pool(rng, dtype, shape):
    x = with_ties(rng, shape, dtype)
    y, cache = pool.max_pool_forward(x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y_kernel, cache_kernel = pool_kernels.max_pool_forward(on_device(x))
    assert_same(y_kernel, y)
    assert_same(cache_kernel.winner, cache.winner)
    assert_same(pool_kernels.max_pool_backward(on_device(dy), cache_kernel), pool.max_pool_backward(dy, cache))


@pytest.mark.parametrize("shape", [(2, 3, 37, 21), (300,), (), (2, 0, 3, 3)])
def test_relu(rng, dtype, shape):
    if shape == () and np.__version__ < "2":
        pytest.skip("NumPy 1 makes float64 of a single number of float32")
    x, dy = np.asarray(rng.standard_normal((2, *shape)), dtype)
    x.reshape(-1)[:4] = [0, -0.0, np.nan, np.inf][: x.size]
    y, cache = relu.relu_forward(x)
    y_kernel, cache_kernel = relu_kernels.relu_forward(on_device(x))
    assert_same(y_kernel, y)
    assert_same(relu_kernels.relu_backward(on_device(dy), cache_kernel), relu.relu_backward(dy, cache))


@pytest.mark.parametrize(
    ("skip_shape", "x_shape"),
    [
        ((2, 3, 9, 8), (2, 2, 5, 4)),
        ((1, 1, 7, 8), (1, 4, 4, 3)),  # odd differences
        ((3, 2, 5, 6), (3, 5, 5, 6)),  # nothing to crop
        ((1, 2, 40, 9), (1, 3, 2, 7)),
        ((2, 3, 45, 26), (2, 4, 37, 21)),
    ],
)
def test_crop_concat(rng, dtype, skip_shape, x_shape):
    skip, x = rng.standard_normal(skip_shape).astype(dtype), rng.standard_normal(x_shape).astype(dtype)
    y, cache = crop_concat.crop_concat_forward(skip, x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y_kernel, cache_kernel = crop_concat_kernels.crop_concat_forward(on_device(skip), on_device(x))
    assert_same(y_kernel, y)
    assert cache_kernel == cache
    gradients = crop_concat_kernels.crop_concat_backward(on_device(dy), cache_kernel)
    for gradient, expected in zip(gradients, crop_concat.crop_concat_backward(dy, cache), strict=True):
        assert_same(gradient, expected)


@pytest.mark.parametrize(
    "shape", [(2, 3, 4, 5, 7), (1, 1, 1, 1, 1), (3, 2, 1, 1, 4), (2, 5, 3, 37, 21)]
)  # N, C, F, H, W
def test_products_of_channels(rng, dtype, shape):
    """The up-convolution, and the convolution with a 1x1 kernel."""
    N, C, F, H, W = shape
    x, bias = rng.standard_normal((N, C, H, W)).astype(dtype), rng.standard_normal(F).astype(dtype)
    for kernels, readable, name, size in [
        (up_conv_kernels, up_conv, "up_conv", (C, F, 2, 2)),
        (conv_1x1_kernels, conv, "conv2d", (F, C, 1, 1)),
    ]:
        weight = rng.standard_normal(size).astype(dtype)
        y, cache = getattr(readable, f"{name}_forward")(x, weight, bias)
        dy = rng.standard_normal(y.shape).astype(dtype)
        y_kernel, cache_kernel = getattr(kernels, f"{name}_forward")(*(on_device(a) for a in (x, weight, bias)))
        results = y_kernel, *getattr(kernels, f"{name}_backward")(on_device(dy), cache_kernel)
        expected = y, *getattr(readable, f"{name}_backward")(dy, cache)
        for result, value in zip(results, expected, strict=True):
            assert_same(result, value, 20 * np.finfo(dtype).eps * max(1, np.abs(value).max()))


@pytest.mark.parametrize("labels_dtype", [np.int64, np.uint8])
@pytest.mark.parametrize("with_weights", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 37, 21), (1, 2, 30, 11), (3, 1, 2, 3)])
def test_loss(rng, dtype, shape, with_weights, labels_dtype):
    N, K, H, W = shape
    logits = (rng.standard_normal(shape) * 10 + 1e4 * rng.standard_normal((N, 1, H, W))).astype(dtype)
    labels = rng.integers(0, K, (N, H, W)).astype(labels_dtype)
    weights = None
    if with_weights:
        weights = rng.random((N, H, W))  # float64, whatever the logits
        weights[:, 0] = 0
        labels[:, 0] = 255  # not to be used as an index
    value, cache = loss.softmax_cross_entropy_forward(logits, labels, weights)
    dloss = np.asarray(-1.7, dtype)
    args = [None if x is None else on_device(x) for x in (logits, labels, weights)]
    value_kernel, cache_kernel = loss_kernels.softmax_cross_entropy_forward(*args)
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(to_host(value_kernel), value, rtol=tolerance)
    assert_same(cache_kernel.p, cache.p, tolerance)
    dlogits = loss_kernels.softmax_cross_entropy_backward(on_device(dloss), cache_kernel)
    assert_same(dlogits, loss.softmax_cross_entropy_backward(dloss, cache), tolerance / 10)
    if with_weights:
        assert not to_host(dlogits)[:, :, 0].any()


@pytest.mark.parametrize("label", [-1, 3, 255, 2**32, -(2**32)])
def test_a_wrong_label_makes_the_loss_nan_unless_it_weighs_nothing(rng, dtype, label):
    logits, labels = rng.standard_normal((2, 3, 4, 5)).astype(dtype), rng.integers(0, 3, (2, 4, 5))
    weights = rng.random(labels.shape).astype(dtype)
    labels[0, 2, 3] = label  # a class that is one too many would be found in the next image
    for given in (None, weights):
        args = [x if x is None else on_device(x) for x in (logits, labels, given)]
        value, cache = loss_kernels.softmax_cross_entropy_forward(*args)
        expected, expected_cache = loss.softmax_cross_entropy_forward(*args)
        assert np.isnan(float(value)) and np.isnan(float(expected))
        dlogits = loss_kernels.softmax_cross_entropy_backward(dtype(1), cache)
        assert_same(dlogits, to_host(loss.softmax_cross_entropy_backward(dtype(1), expected_cache)), 1e-6)
    weights[0, 2, 3] = 0
    value, _ = loss_kernels.softmax_cross_entropy_forward(*(on_device(x) for x in (logits, labels, weights)))
    assert np.isfinite(float(value))


def test_numbers_that_are_none_spread_as_in_the_readable_layers(rng, dtype):
    x = rng.standard_normal((2, 3, 8, 10)).astype(dtype)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.2] = -np.inf
    labels = rng.integers(0, 3, (2, 8, 10))
    with np.errstate(invalid="ignore"):
        _, cache = loss.softmax_cross_entropy_forward(x, labels)
    assert 0 < np.isnan(cache.p).mean() < 1
    assert_same(loss_kernels.softmax_cross_entropy_forward(on_device(x), on_device(labels))[1].p, cache.p, 1e-6)
    dy = x[:, :, ::2, ::2]
    y, cache = pool.max_pool_forward(x)
    y_kernel, cache_kernel = pool_kernels.max_pool_forward(on_device(x))
    assert_same(y_kernel, y)
    with np.errstate(invalid="ignore"):
        dx = pool.max_pool_backward(dy, cache)
        assert_same(pool_kernels.max_pool_backward(on_device(dy), cache_kernel), dx)
        y, cache = relu.relu_forward(x)
        dx = relu.relu_backward(x[::-1], cache)
    assert_same(relu_kernels.relu_backward(on_device(x[::-1]), relu_kernels.relu_forward(on_device(x))[1]), dx)


def strewn(x):
    """Return the device's x with gaps in its memory."""
    x = on_device(np.repeat(x, 2, axis=-1))[..., ::2]
    assert not x.flags.c_contiguous
    return x


def test_arguments_of_any_layout(rng):
    x, skip, weight = (rng.standard_normal(shape) for shape in ((2, 3, 8, 6), (2, 2, 12, 9), (4, 3, 3, 3)))
    bias, labels, weights = rng.standard_normal(4), rng.integers(0, 3, (2, 8, 6)), rng.random((2, 8, 6))
    for kernels, readable, name, args in [
        (relu_kernels, relu, "relu", (x,)),
        (pool_kernels, pool, "max_pool", (x,)),
        (crop_concat_kernels, crop_concat, "crop_concat", (skip, x)),
        (loss_kernels, loss, "softmax_cross_entropy", (x, labels, weights)),
        (conv_kernels, conv, "conv2d", (x, weight, bias)),
        (conv_1x1_kernels, conv, "conv2d", (x, weight[:, :, :1, :1], bias)),
        (up_conv_kernels, up_conv, "up_conv", (x, weight[:3, :, :2, :2], bias[:3])),
    ]:
        y, cache = getattr(readable, f"{name}_forward")(*args)
        y_kernel, cache_kernel = getattr(kernels, f"{name}_forward")(*(strewn(arg) for arg in args))
        assert_same(y_kernel, np.asarray(y), 1e-13)
        dy = rng.standard_normal(np.shape(y))
        expected = getattr(readable, f"{name}_backward")(dy, cache)
        result = getattr(kernels, f"{name}_backward")(strewn(dy) if dy.ndim else on_device(dy), cache_kernel)
        for gradient, wanted in zip(flatten([result]).values(), flatten([expected]).values(), strict=True):
            assert_same(gradient, wanted, 1e-13)


def test_an_array_of_the_host_among_those_of_the_device_is_named(rng):
    x, skip, weight = (rng.standard_normal(shape) for shape in ((2, 3, 8, 6), (2, 2, 12, 8), (4, 3, 3, 3)))
    bias, labels, weights = np.zeros(4), np.zeros((2, 8, 6), int), np.ones((2, 8, 6))
    for kernels, name, args in [
        (crop_concat_kernels, "crop_concat", {"skip": skip, "x": x}),
        (loss_kernels, "softmax_cross_entropy", {"logits": x, "labels": labels, "weights": weights}),
        (conv_kernels, "conv2d", {"x": x, "weight": weight, "bias": bias}),
        (conv_1x1_kernels, "conv2d", {"x": x, "weight": weight[:, :, :1, :1], "bias": bias}),
        (up_conv_kernels, "up_conv", {"x": x, "weight": weight[:3, :, :2, :2], "bias": bias[:3]}),
    ]:
        for moved in list(args)[1:]:
            mixed = [x if argument == moved else on_device(x) for argument, x in args.items()]
            with pytest.raises(
                InputError, match=rf"^{moved} must be on the device of \w+ \(GPU\), got an array on the host"
            ):
                getattr(kernels, f"{name}_forward")(*mixed)
    for kernels, name, args in [
        (relu_kernels, "relu", [x]),
        (pool_kernels, "max_pool", [x]),
        (conv_kernels, "conv2d", [x, weight, bias]),
        (conv_kernels, "conv2d_relu", [x, weight, bias]),
        (conv_1x1_kernels, "conv2d", [x, weight[:, :, :1, :1], bias]),
        (up_conv_kernels, "up_conv", [x, weight[:3, :, :2, :2], bias[:3]]),
    ]:
        y, cache = getattr(kernels, f"{name}_forward")(*(on_device(arg) for arg in args))
        with pytest.raises(InputError, match=r"^dy must be on the device of cache \(GPU\), got an array on the host"):
            getattr(kernels, f"{name}_backward")(to_host(y), cache)
