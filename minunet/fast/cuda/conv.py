"""Winograd's convolution by the kernels of `winograd.cu` and cuBLAS; `minunet/fast/cpu/winograd.py` explains it.

    forward     V from x       U from weight      M = U @ V              y from M, with bias and, if wanted, ReLU
    backward    dM from dy     dU = dM @ V'       dV = U' @ dM           dx from dV, dweight from dU

Each product is one batched call of cuBLAS: one matrix for each point, over all tiles of a chunk of images. V, M and y
are written once and read once. There are 36 points, for tiles of 4x4 pixels of y; with TF32 there are 16, for tiles
of 2x2 (see `loader.tile_size`). U is worked out again on the way back: kept, it would take up to four times the memory
of all weights.

On the way back the tiles of a chunk are cut into slabs, and each is a product of its own: dU is small where there are
few channels, and a sum over all tiles, of which a GPU with many cores would work on a few numbers only. The kernel that
makes dweight adds them up. A slab's tiles are a multiple of 4, filled up with tiles of zeros: so each row of V and M
begins at a multiple of 16 bytes, as tensor cores read them.

The gradient of the bias costs nothing extra: at the point 1 along both axes, dM is the sum of its tile of dy.
"""

import math
from collections.abc import Iterator
from typing import Any

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
    return backward(dy, cache, None, with_dx=True)


@same_as(readable_with_relu.conv2d_relu_forward)
def conv2d_relu_forward(x, weight, bias):
    y = _forward(x, weight, bias, with_relu=True)
    return y, (Conv2dCache(x, weight), ReluCache(y))


@same_as(readable_with_relu.conv2d_relu_backward)
def conv2d_relu_backward(dy, cache, with_dx=True):
    conv_cache, relu_cache = cache
    return backward(dy, conv_cache, contiguous(relu_cache.y, relu_cache.y.dtype), with_dx)


def _forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    check_conv2d(x, weight, bias)
    N, C, H, W = x.shape
    F = len(weight)
    x, bias = contiguous(x, x.dtype), contiguous(bias, x.dtype)
    U = _evaluate_kernels(weight, slabs=1)  # (points, F, C)
    y = array_module(x).empty((N, F, H - 2, W - 2), x.dtype)
    for images in _chunks(x, F):
        M = product(U, _evaluate_tiles(x[images], slabs=1))  # (F, C) @ (C, L) -> (F, L), at each point
        _launch_on_tiles("interpolate_tiles", M, y[images], M, bias, y[images], int(with_relu))
    return y


def backward(dy: Array, cache: Conv2dCache, y: Array | None, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Return dx, or None without `with_dx`, dweight and dbias.

    `y` is the output of the ReLU that follows the convolution, or None without one.
    """
    x, weight = cache
    xp = array_module(x)
    N, C, H, W = x.shape
    F = len(weight)
    check_gradient(dy, (N, F, H - 2, W - 2), x)
    x, dy = contiguous(x, x.dtype), contiguous(dy, x.dtype)
    slabs = _count_slabs(x, F)
    points = _side(x) ** 2
    U = _evaluate_kernels(weight, slabs) if with_dx else None  # (points slabs, F, C)
    dx = xp.empty(x.shape, x.dtype) if with_dx else None
    dU = xp.empty((points * slabs, F, C), x.dtype)
    dbias: Any = 0
    for images in _chunks(x, F):
        V = _evaluate_tiles(x[images], slabs)
        dM = xp.empty((points * slabs, F, V.shape[2]), x.dtype)
        gate = NULL if y is None else y[images]
        _launch_on_tiles("interpolate_tiles_transposed", dM, dy[images], dy[images], gate, dM)
        product(dM, V.transpose(0, 2, 1), dU, add=images.start > 0)  # (F, L) @ (L, C) -> (F, C), at each point and slab
        del V
        at_1_and_1 = dM.reshape(points, slabs, F, -1)[_side(x) + 1]  # the point 1 along h and along w
        sums = at_1_and_1.sum(axis=(0, 2))
        dbias = sums if images.start == 0 else dbias + sums  # 0 + sums would be one kernel more
        if dx is not None and U is not None:
            dV = product(U.transpose(0, 2, 1), dM)  # (C, F) @ (F, L) -> (C, L), at each point and slab
            _launch_on_blocks(dV, dx[images])
    dweight = xp.empty(weight.shape, x.dtype)
    launch(SOURCE, "evaluate_kernels_transposed", F * C, dU, dweight, F * C, slabs)
    return dx, dweight, dbias


def _evaluate_kernels(weight: Array, slabs: int) -> Array:
    """Return U, (points slabs, F, C)."""
    F, C = weight.shape[:2]
    U = array_module(weight).empty((_side(weight) ** 2 * slabs, F, C), weight.dtype)
    launch(SOURCE, "evaluate_kernels", F * C, contiguous(weight, weight.dtype), U, F * C, slabs)
    return U


def _evaluate_tiles(x: Array, slabs: int) -> Array:
    """Return V, (points slabs, C, L)."""
    N, C, H, W = x.shape
    rows, columns = _tiles(x, H - 2, W - 2)
    L = 4 * math.ceil(N * rows * columns / slabs / 4)
    V = array_module(x).empty((_side(x) ** 2 * slabs, C, L), x.dtype)
    launch(SOURCE, "evaluate_tiles", slabs * C * L, x, V, slabs * C * L, L, N, C, H, W, rows, columns)
    return V


def _launch_on_tiles(name: str, M: Array, y: Array, *args) -> None:
    """Launch a kernel with one thread for each tile of y, or dy, (N, F, OH, OW), which M, or dM, has at each point."""
    N, F, OH, OW = y.shape
    L, size = M.shape[2], M.size // _side(y) ** 2
    launch(SOURCE, name, size, *args, size, L, N, F, OH, OW, *_tiles(y, OH, OW))


def _launch_on_blocks(dV: Array, dx: Array) -> None:
    """Write dx (N, C, H, W), one thread for each block as large as a tile: one more than tiles along each axis."""
    N, C, H, W = dx.shape
    rows, columns = _tiles(dx, H - 2, W - 2)
    blocks = N * C * (rows + 1) * (columns + 1)
    L, size = dV.shape[2], dV.size // _side(dx) ** 2
    launch(SOURCE, "evaluate_tiles_transposed", blocks, dV, dx, blocks, size, L, C, H, W, rows, columns)


def _side(x: Array) -> int:
    """Return how many pixels of x along each axis a tile depends on; there are as many points."""
    return tile_size(x.dtype) + 2


def _tiles(x: Array, OH: int, OW: int) -> tuple[int, int]:
    """Return how many rows and columns of tiles cover an image of OH x OW pixels."""
    tile = tile_size(x.dtype)
    return math.ceil(OH / tile), math.ceil(OW / tile)


def _count_slabs(x: Array, F: int) -> int:
    """Return into how many slabs the tiles of a chunk are cut."""
    N, C, H, W = x[next(_chunks(x, F))].shape
    rows, columns = _tiles(x, H - 2, W - 2)
    blocks = _side(x) ** 2 * math.ceil(F / 64) * math.ceil(C / 64)
    return max(1, min(math.ceil(thresholds.CUDA_BLOCKS / blocks), N * rows * columns // thresholds.CUDA_SLAB))


def _chunks(x: Array, F: int) -> Iterator[slice]:
    """Yield the images of each chunk: as many as keep both V and M within CUDA_CHUNK elements, but at least one."""
    N, C, H, W = x.shape
    rows, columns = _tiles(x, H - 2, W - 2)
    step = max(1, thresholds.CUDA_CHUNK // (_side(x) ** 2 * max(C, F) * rows * columns))
    for n in range(0, N, step):
        yield slice(n, n + step)
