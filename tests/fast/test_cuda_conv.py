"""Winograd's convolution by CUDA kernels equals the readable one on the CPU."""

import numpy as np
import pytest
from on_gpu import assert_same, convolution, on_device

from minunet.backend import to_host
from minunet.fast import thresholds
from minunet.fast.cpu import winograd
from minunet.fast.cuda import conv as conv_kernels
from minunet.fast.cuda import loader
from minunet.layers import conv, conv_relu

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("no_choice", "index")]

CONVOLUTIONS = [  # N, C, F, H, W
    (2, 3, 4, 7, 6),
    (1, 2, 3, 3, 3),  # a single output pixel
    (3, 2, 5, 12, 9),  # one row of tiles beyond the last whole one, and three columns
    (2, 1, 2, 10, 18),  # whole tiles
    (1, 5, 1, 5, 40),
    (2, 5, 7, 37, 21),
]


def assert_close(results, expected, dtype):
    """Compare y, dx, dweight and dbias, each to its largest value."""
    for result, value in zip(results, expected, strict=True):
        assert_same(result, value, (2e-5 if dtype == np.float32 else 1e-13) * max(1, np.abs(value).max()))


@pytest.fixture(params=[4, 2], ids=["F(4x4)", "F(2x2)"])
def tile(request, monkeypatch):
    """Return how large Winograd's tiles are in this test."""
    for module in (loader, conv_kernels):
        monkeypatch.setattr(module, "tile_size", lambda dtype: request.param)
    return request.param


@pytest.mark.parametrize("slab", [512, 3], ids=["one_slab", "slabs"])
@pytest.mark.parametrize("chunk", [2**28, 1], ids=["together", "one_by_one"])
@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_winograd(rng, monkeypatch, dtype, tile, shape, chunk, slab):
    monkeypatch.setattr(thresholds, "CUDA_CHUNK", chunk)
    monkeypatch.setattr(thresholds, "CUDA_SLAB", slab)
    x, weight, bias, dy = convolution(rng, shape, dtype)
    y, cache = conv.conv2d_forward(x, weight, bias)
    y_kernel, cache_kernel = conv_kernels.conv2d_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = conv_kernels.conv2d_backward(on_device(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, *conv.conv2d_backward(dy, cache)], dtype)


def test_rows_of_even_length_that_do_not_begin_at_a_whole_pair(rng, dtype, tile):
    """Pixels are read in pairs; a GPU stops at a pair whose address is no multiple of its size."""

    def shifted(array):
        return on_device(np.r_[0, array.ravel()].astype(dtype))[1:].reshape(array.shape)

    x, weight, bias, dy = convolution(rng, (2, 3, 4, 9, 12), dtype)
    y, cache = conv.conv2d_forward(x, weight, bias)
    y_kernel, cache_kernel = conv_kernels.conv2d_forward(shifted(x), on_device(weight), on_device(bias))
    gradients = conv_kernels.conv2d_backward(shifted(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, *conv.conv2d_backward(dy, cache)], dtype)


@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_winograd_with_relu(rng, dtype, tile, shape):
    x, weight, bias, dy = convolution(rng, shape, dtype)
    y, cache = conv_relu.conv2d_relu_forward(x, weight, bias)
    expected = conv_relu.conv2d_relu_backward(dy, cache)
    y_kernel, cache_kernel = conv_kernels.conv2d_relu_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = conv_kernels.conv2d_relu_backward(on_device(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, *expected], dtype)
    no_dx, dweight, dbias = conv_kernels.conv2d_relu_backward(on_device(dy), cache_kernel, with_dx=False)
    assert no_dx is None
    assert_close([dweight, dbias], expected[1:], dtype)


B2 = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])  # of F(2x2, 3x3)
G2 = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def test_winograds_transforms_are_those_of_its_matrices(rng, tile):
    B, G = (winograd.B, winograd.G) if tile == 4 else (B2, G2)
    side, points = tile + 2, (tile + 2) ** 2
    x, weight, *_ = convolution(rng, (2, 3, 4, 12, 9), np.float64)
    U = np.einsum("ip,jq,fcpq->ijfc", G, G, weight).reshape(points, 4, 3)
    np.testing.assert_allclose(to_host(conv_kernels._evaluate_kernels(on_device(weight), 1)), U, atol=1e-14)
    padded = np.pad(x, [(0, 0), (0, 0), (0, 2), (0, 1)])  # y has 10 x 7 pixels; it is covered by 12 x 8
    corners = [(n, h, w) for n in range(2) for h in range(0, 10, tile) for w in range(0, 7, tile)]
    tiles = np.array([padded[n, :, h : h + side, w : w + side] for n, h, w in corners])
    V = np.einsum("ip,jq,tcpq->ijct", B, B, tiles).reshape(points, 3, len(corners))
    np.testing.assert_allclose(to_host(conv_kernels._evaluate_tiles(on_device(x), 1)), V, atol=1e-13)
    V = V.reshape(points, 3, 2, -1)[:, :, 0, : 6 if tile == 4 else 20]  # of the first image alone
    first = to_host(conv_kernels._evaluate_tiles(on_device(x[:1]), 1))
    assert first.shape[2] % 4 == 0 and not first[:, :, V.shape[2] :].any()  # tiles that belong to no image
    np.testing.assert_allclose(first[:, :, : V.shape[2]], V, atol=1e-13)
