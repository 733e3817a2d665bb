"""The CUDA kernels as they are used: their gradients are right, and they run on CuPy's current stream.

That they equal the readable layers is in test_cuda_kernels.py, test_cuda_conv.py and test_conv_tf32.py.
"""

import numpy as np
import pytest

from minunet import gradcheck
from minunet.backend import flatten, to_device, to_host
from minunet.fast import conv as fast_conv
from minunet.fast.cuda import conv, conv_1x1, crop_concat, loss, pool, relu, up_conv
from minunet.fast.plan import plan
from minunet.layers import conv as readable

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("no_choice")]


def pairs(H=37, W=21):
    """Return {name: (forward, backward, arguments)}: odd sizes, batches, no squares."""
    rng = np.random.default_rng(3)
    normal = rng.standard_normal
    labels, weights = rng.integers(0, 3, (2, H, W)), rng.random((2, H, W))
    weights[:, :2] = 0
    labels[:, :2] = 255
    return {
        "relu": (relu.relu_forward, relu.relu_backward, [normal((2, 3, H, W))]),
        "max_pool": (pool.max_pool_forward, pool.max_pool_backward, [normal((2, 3, 2 * H, 2 * W))]),
        "crop_concat": (
            crop_concat.crop_concat_forward,
            crop_concat.crop_concat_backward,
            [normal((2, 3, H + 8, W + 5)), normal((2, 4, H, W))],
        ),
        "softmax_cross_entropy": (
            loss.softmax_cross_entropy_forward,
            loss.softmax_cross_entropy_backward,
            [normal((2, 3, H, W)), labels, weights],
        ),
        "softmax_cross_entropy_without_weights": (
            loss.softmax_cross_entropy_forward,
            loss.softmax_cross_entropy_backward,
            [normal((2, 3, H, W)), labels % 3],
        ),
        "up_conv": (
            up_conv.up_conv_forward,
            up_conv.up_conv_backward,
            [normal((2, 5, H, W)), normal((5, 3, 2, 2)), normal(3)],
        ),
        "conv_1x1": (
            conv_1x1.conv2d_forward,
            conv_1x1.conv2d_backward,
            [normal((2, 5, H, W)), normal((3, 5, 1, 1)), normal(3)],
        ),
        "winograd": (
            conv.conv2d_forward,
            conv.conv2d_backward,
            [normal((2, 3, H + 4, W + 2)), normal((4, 3, 3, 3)), normal(4)],
        ),
        "winograd_with_relu": (
            conv.conv2d_relu_forward,
            conv.conv2d_relu_backward,
            [normal((2, 3, H + 4, W + 2)), normal((4, 3, 3, 3)), normal(4)],
        ),
    }


NAMES = pytest.mark.parametrize("name", pairs())


@NAMES
def test_its_gradient(name):
    forward, backward, args = pairs(3, 2)[name]
    report = gradcheck(forward, backward, tuple(to_device(args, "gpu")), mode="directions")
    assert report.ok, report


@NAMES
def test_it_runs_on_the_current_stream(cupy, name):
    forward, backward, args = pairs()[name]
    args = to_device(args, "gpu")
    y, cache = forward(*args)
    expected = flatten([backward(cupy.ones_like(y), cache)])
    cupy.cuda.Device().synchronize()
    with cupy.cuda.Stream(non_blocking=True) as stream:
        y, cache = forward(*args)
        result = flatten([backward(cupy.ones_like(y), cache)])
        stream.synchronize()
    for part, x in expected.items():
        np.testing.assert_allclose(to_host(result[part]), to_host(x), rtol=1e-12, atol=1e-12, err_msg=part)


@pytest.mark.parametrize("size", [70, 150])
def test_the_convolution_that_the_network_takes_is_winograds_and_right(size):
    rng = np.random.default_rng(5)
    shapes = (1, 64, size, size), (64, 64, 3, 3), (64,)
    args = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    on_gpu = to_device(args, "gpu")
    assert plan(*on_gpu[:2], backward=False).way == "cuda"
    y, cache = readable.conv2d_forward(*args)
    y_gpu, cache_gpu = fast_conv.conv2d_forward(*on_gpu)
    results = y_gpu, *fast_conv.conv2d_backward(y_gpu, cache_gpu)
    for result, x in zip(results, (y, *readable.conv2d_backward(y, cache)), strict=True):
        np.testing.assert_allclose(to_host(result), x, rtol=0, atol=2e-5 * np.abs(x).max())
