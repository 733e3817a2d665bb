"""Winograd's convolution by the kernels of `winograd.cu` and cuBLAS; `minunet/fast/cpu/winograd.py` explains it.

    forward     V from x       U from weight      M = U @ V              y from M, with bias and, if wanted, ReLU
    backward    dM from dy     dU = dM @ V'       dV = U' @ dM           dx from dV, dweight from dU

Each product is one batched call of cuBLAS: one matrix for each point, over all tiles of a chunk of images. V, M and y
are written once and read once. There are 36 points, for tiles of 4x4 pixels of y; with TF32 there are 16, for tiles
of 2x2 (see `loader.tile_size`). U is worked out again on the way back: kept, it would take up to four times the memory
of all weights.

The number of tiles, T, is rounded up to a multiple of 4, with tiles of zeros: so each row of V and M begins at a multiple
of 16 bytes, which is what tensor cores read at once.

The gradient of the bias costs nothing extra: at the point 1 along both axes, dM is the sum of its tile of dy.
"""

import math
from collections.abc import Iterator

from minunet.backend import Array, array_module
from minunet.fast import thresholds
from minunet.fast.cuda.loader import NULL, contiguous, launch, tile_size
from minunet.fast.cuda.products import product
from minunet.fast.same_as import same_as
from minunet.layers import conv as readable
from minunet.layers import conv_relu as readable_with_relu
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache
from minunet.layers.relu import ReluCache

SOURCE = "winograd"


@same_as(readable.conv2d_forward)  # for a 3x3 kernel, as all that follow
def conv2d_forward(x, weight, bias):
    return _forward(x, weight, bias, with_relu=False), Conv2dCache(x, weight)


@same_as(readable.conv2d_backward)
def conv2d_backward(dy, cache):
    return _backward(dy, cache, None, with_dx=True)


@same_as(readable_with_relu.conv2d_relu_forward)
def conv2d_relu_forward(x, weight, bias):
    y = _forward(x, weight, bias, with_relu=True)
    return y, (Conv2dCache(x, weight), ReluCache(y))


@same_as(readable_with_relu.conv2d_relu_backward)
def conv2d_relu_backward(dy, cache, with_dx=True):
    conv_cache, relu_cache = cache
    return _backward(dy, conv_cache, contiguous(relu_cache.y, relu_cache.y.dtype), with_dx)


def _forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    check_conv2d(x, weight, bias)
    N, C, H, W = x.shape
    F = len(weight)
    x, bias = contiguous(x, x.dtype), contiguous(bias, x.dtype)
    U = _evaluate_kernels(weight)  # (points, F, C)
    y = array_module(x).empty((N, F, H - 2, W - 2), x.dtype)
    for images in _chunks(x, F):
        M = product(U, _evaluate_tiles(x[images]))  # (F, C) @ (C, T) -> (F, T), at each point
        _launch_on_tiles("interpolate_tiles", F, y[images], M, bias, y[images], int(with_relu))
    return y


def _backward(dy: Array, cache: Conv2dCache, y: Array | None, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Return dx, or None without `with_dx`, dweight and dbias.

    `y` is the output of the ReLU that follows the convolution, or None without one.
    """
    x, weight = cache
    xp = array_module(x)
    N, C, H, W = x.shape
    F = len(weight)
    check_gradient(dy, (N, F, H - 2, W - 2), x)
    x, dy = contiguous(x, x.dtype), contiguous(dy, x.dtype)
    U = _evaluate_kernels(weight) if with_dx else None  # (points, F, C)
    dx = xp.empty(x.shape, x.dtype) if with_dx else None
    dU, dbias = xp.empty((_side(x) ** 2, F, C), x.dtype), xp.empty(F, x.dtype)
    for images in _chunks(x, F):
        is_first = images.start == 0
        V = _evaluate_tiles(x[images])
        dM = xp.empty((len(V), F, V.shape[2]), x.dtype)
        gate = NULL if y is None else y[images]
        _launch_on_tiles("interpolate_tiles_transposed", F, dy[images], dy[images], gate, dM)
        product(dM, V.transpose(0, 2, 1), dU, add=not is_first)  # (F, T) @ (T, C) -> (F, C), at each point
        del V
        sums = dM[_side(x) + 1].sum(axis=1)  # the point 1 along h and along w
        dbias = sums if is_first else dbias + sums
        if dx is not None and U is not None:
            dV = product(U.transpose(0, 2, 1), dM)  # (C, F) @ (F, T) -> (C, T), at each point
            _launch_on_blocks(dV, dx[images])
    dweight = xp.empty(weight.shape, x.dtype)
    launch(SOURCE, "evaluate_kernels_transposed", F * C, dU, dweight, F * C)
    return dx, dweight, dbias


def _evaluate_kernels(weight: Array) -> Array:
    """Return U, (points, F, C)."""
    F, C = weight.shape[:2]
    U = array_module(weight).empty((_side(weight) ** 2, F, C), weight.dtype)
    launch(SOURCE, "evaluate_kernels", F * C, contiguous(weight, weight.dtype), U, F * C)
    return U


def _evaluate_tiles(x: Array) -> Array:
    """Return V, (points, C, T)."""
    N, C, H, W = x.shape
    rows, columns = _tiles(x, H - 2, W - 2)
    T = _count(N, rows, columns)
    V = array_module(x).empty((_side(x) ** 2, C, T), x.dtype)
    launch(SOURCE, "evaluate_tiles", C * T, x, V, C * T, T, N, C, H, W, rows, columns)
    return V


def _launch_on_tiles(name: str, F: int, y: Array, *args) -> None:
    """Launch a kernel with one thread for each tile of y, or dy, (N, F, OH, OW)."""
    N, _, OH, OW = y.shape
    rows, columns = _tiles(y, OH, OW)
    T = _count(N, rows, columns)
    launch(SOURCE, name, F * T, *args, F * T, T, N, F, OH, OW, rows, columns)


def _launch_on_blocks(dV: Array, dx: Array) -> None:
    """Write dx (N, C, H, W), one thread for each block as large as a tile: one more than tiles along each axis."""
    N, C, H, W = dx.shape
    rows, columns = _tiles(dx, H - 2, W - 2)
    blocks = N * C * (rows + 1) * (columns + 1)
    launch(SOURCE, "evaluate_tiles_transposed", blocks, dV, dx, blocks, dV.shape[2], C, H, W, rows, columns)


def _side(x: Array) -> int:
    """Return how many pixels of x along each axis a tile depends on; there are as many points."""
    return tile_size(x.dtype) + 2


def _tiles(x: Array, OH: int, OW: int) -> tuple[int, int]:
    """Return how many rows and columns of tiles cover an image of OH x OW pixels."""
    tile = tile_size(x.dtype)
    return math.ceil(OH / tile), math.ceil(OW / tile)


def _count(N: int, rows: int, columns: int) -> int:
    """Return T: how many tiles cover N images, rounded up to a multiple of 4."""
    return math.ceil(N * rows * columns / 4) * 4


def _chunks(x: Array, F: int) -> Iterator[slice]:
    """Yield the images of each chunk: as many as keep both V and M within CUDA_CHUNK elements, but at least one."""
    N, C, H, W = x.shape
    rows, columns = _tiles(x, H - 2, W - 2)
    step = max(1, thresholds.CUDA_CHUNK // (_side(x) ** 2 * max(C, F) * rows * columns))
    for n in range(0, N, step):
        yield slice(n, n + step)
