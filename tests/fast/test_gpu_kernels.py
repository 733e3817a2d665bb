"""The CUDA kernels on a GPU: each gives what the readable layer gives on the CPU, and its gradient is right.

python -m pytest -m gpu

MINUNET_GPU_POOL=off in the environment takes each array's memory from CUDA itself, not from CuPy's pool, so that
compute-sanitizer can tell where an array ends.
"""

import os

import numpy as np
import pytest

from minunet import flatten, gradcheck
from minunet.backend import array_module, map_tree, to_device, to_host
from minunet.fast import conv as fast_conv
from minunet.fast.cuda import conv as conv_kernels
from minunet.fast.cuda import conv_1x1 as conv_1x1_kernels
from minunet.fast.cuda import conv_tf32 as conv_tf32_kernels
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loader
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.fast.cuda import up_conv as up_conv_kernels
from minunet.fast.plan import plan
from minunet.gpu import TF32_CAPABILITY
from minunet.layers import conv, conv_relu, crop_concat, loss, pool, relu, up_conv

pytestmark = pytest.mark.gpu
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy finds no GPU")
    if os.environ.get("MINUNET_GPU_POOL") == "off":
        cupy.cuda.set_allocator(None)
    return cupy


def pairs(dtype, H=37, W=21):
    """Return {name: (the kernels' pair, the readable pair, arguments)}: odd sizes, batches, no squares."""
    rng = np.random.default_rng(3)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    labels = rng.integers(0, 3, (2, H, W))
    weights = rng.random((2, H, W))
    weights[:, :2] = 0
    labels[:, :2] = 255
    ties = rng.integers(-1, 2, (2, 3, 2 * H, 2 * W)).astype(dtype)
    convolution = normal(2, 5, H, W), normal(7, 5, 3, 3), normal(7)
    return {
        "relu": (
            (relu_kernels.relu_forward, relu_kernels.relu_backward),
            (relu.relu_forward, relu.relu_backward),
            (normal(2, 3, H, W),),
        ),
        "max_pool": (
            (pool_kernels.max_pool_forward, pool_kernels.max_pool_backward),
            (pool.max_pool_forward, pool.max_pool_backward),
            (ties,),
        ),
        "crop_concat": (
            (crop_concat_kernels.crop_concat_forward, crop_concat_kernels.crop_concat_backward),
            (crop_concat.crop_concat_forward, crop_concat.crop_concat_backward),
            (normal(2, 3, H + 8, W + 5), normal(2, 4, H, W)),
        ),
        "softmax_cross_entropy": (
            (loss_kernels.softmax_cross_entropy_forward, loss_kernels.softmax_cross_entropy_backward),
            (loss.softmax_cross_entropy_forward, loss.softmax_cross_entropy_backward),
            (normal(2, 3, H, W), labels, weights),
        ),
        "softmax_cross_entropy_without_weights": (
            (loss_kernels.softmax_cross_entropy_forward, loss_kernels.softmax_cross_entropy_backward),
            (loss.softmax_cross_entropy_forward, loss.softmax_cross_entropy_backward),
            (normal(2, 3, H, W), labels % 3),
        ),
        "up_conv": (
            (up_conv_kernels.up_conv_forward, up_conv_kernels.up_conv_backward),
            (up_conv.up_conv_forward, up_conv.up_conv_backward),
            (normal(2, 5, H, W), normal(5, 3, 2, 2), normal(3)),
        ),
        "conv_1x1": (
            (conv_1x1_kernels.conv2d_forward, conv_1x1_kernels.conv2d_backward),
            (conv.conv2d_forward, conv.conv2d_backward),
            (normal(2, 5, H, W), normal(3, 5, 1, 1), normal(3)),
        ),
        "winograd": (
            (conv_kernels.conv2d_forward, conv_kernels.conv2d_backward),
            (conv.conv2d_forward, conv.conv2d_backward),
            convolution,
        ),
        "winograd_with_relu": (
            (conv_kernels.conv2d_relu_forward, conv_kernels.conv2d_relu_backward),
            (conv_relu.conv2d_relu_forward, conv_relu.conv2d_relu_backward),
            convolution,
        ),
    }


NAMES = pytest.mark.parametrize("name", pairs(np.float64))
SMALL = {"max_pool": (4, 3), "winograd": (7, 4), "winograd_with_relu": (7, 4)}  # each element takes two forward passes


def to_gpu(args):
    return tuple(to_device(argument, "gpu") for argument in args)


def assert_close(result, expected, dtype):
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    result, expected = (flatten(tree if isinstance(tree, tuple) else (tree,)) for tree in (result, expected))
    for name, value in expected.items():
        assert array_module(result[name]).__name__ == "cupy" and result[name].dtype == dtype, name
        atol = tolerance * np.abs(value).max()
        np.testing.assert_allclose(to_host(result[name]), value, rtol=0, atol=atol, err_msg=name)


@pytest.fixture(params=[2**31, 0], ids=["int", "long_long"])
def index(request, monkeypatch):
    """Let the kernels count by ints, and as if the arrays were huge."""
    monkeypatch.setattr(loader, "INT_LIMIT", request.param)


def assert_equals_the_readable_layer(name, dtype):
    (forward, backward), (readable_forward, readable_backward), args = pairs(dtype)[name]
    y, cache = readable_forward(*args)
    dy = np.random.default_rng(4).standard_normal(y.shape).astype(dtype)
    y_gpu, cache_gpu = forward(*to_gpu(args))
    assert_close(y_gpu, y, dtype)
    assert_close(backward(to_device(dy, "gpu"), cache_gpu), readable_backward(dy, cache), dtype)


@TYPES
@NAMES
def test_a_kernel_equals_the_readable_layer(index, name, dtype):
    assert_equals_the_readable_layer(name, dtype)


@TYPES
@pytest.mark.parametrize("name", ["winograd", "winograd_with_relu"])
def test_with_small_tiles_it_equals_the_readable_layer(monkeypatch, index, name, dtype):
    for module in (loader, conv_kernels):
        monkeypatch.setattr(module, "tile_size", lambda dtype: 2)
    assert_equals_the_readable_layer(name, dtype)


def in_tf32(x):
    """Return numbers with 10 bits after the point, as a tensor core gets them."""
    bits = x.view(np.uint32) + np.uint32(1 << 12)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("shape", [(2, 5, 7, 37, 21), (1, 70, 130, 20, 34), (3, 16, 64, 10, 18)], ids=str)
def test_tensor_cores_give_the_convolution_of_rounded_factors(cupy, index, shape):
    """Sums differ in their order, and a tensor core may drop the last bit of a term."""
    if int(cupy.cuda.Device().compute_capability) < TF32_CAPABILITY:
        pytest.skip("this GPU is older than TF32")
    N, C, F, H, W = shape
    rng = np.random.default_rng(6)
    sizes = (N, C, H, W), (F, C, 3, 3), (F,), (N, F, H - 2, W - 2)
    x, weight, bias, dy = (rng.standard_normal(size).astype(np.float32) for size in sizes)
    y, cache = conv.conv2d_forward(in_tf32(x), in_tf32(weight), bias.astype(np.float64))
    expected = y, *conv.conv2d_backward(in_tf32(dy), cache)[:2], dy.sum(axis=(0, 2, 3))
    y_gpu, cache_gpu = conv_tf32_kernels.conv2d_forward(*to_gpu((x, weight, bias)))
    result = y_gpu, *conv_tf32_kernels.conv2d_backward(to_device(dy, "gpu"), cache_gpu)
    assert_close(result, expected, np.float32)


@pytest.mark.parametrize("mode", ["elements", "directions"])
@NAMES
def test_its_gradient(name, mode):
    H, W = SMALL.get(name, (3, 2))
    (forward, backward), _, args = pairs(np.float64, H, W)[name]
    report = gradcheck(forward, backward, to_gpu(args), mode=mode)
    assert report.ok, report


@NAMES
def test_it_runs_on_the_current_stream(cupy, name):
    (forward, backward), _, args = pairs(np.float64)[name]
    args = to_gpu(args)
    y, cache = forward(*args)
    expected = backward(cupy.ones_like(y), cache)
    cupy.cuda.Device().synchronize()
    with cupy.cuda.Stream(non_blocking=True) as stream:
        y, cache = forward(*args)
        result = backward(cupy.ones_like(y), cache)
        stream.synchronize()
    assert_close(result, map_tree(to_host, expected), np.float64)


@pytest.mark.parametrize("size", [70, 380])
def test_the_convolution_that_the_network_takes_is_winograds_and_right(size):
    rng = np.random.default_rng(5)
    x, weight, bias = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((1, 64, size, size), (64, 64, 3, 3), (64,))
    )
    args = to_gpu((x, weight, bias))
    assert plan(*args[:2], backward=False).way == "cuda"
    y, cache = conv.conv2d_forward(x, weight, bias)
    y_gpu, cache_gpu = fast_conv.conv2d_forward(*args)
    assert_close(y_gpu, y, np.float32)
    assert_close(fast_conv.conv2d_backward(y_gpu, cache_gpu), conv.conv2d_backward(y, cache), np.float32)
