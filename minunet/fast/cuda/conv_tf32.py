"""The 3x3 convolution in TF32 by the kernels of `conv_tf32.cu`, on tensor cores.

    forward     y       = x and weight
    backward    dx      = dy, in a frame of zeros, and the turned weight, by the same kernel
                dweight = dy and x

In place of Winograd's convolution (`conv.py`) it makes 2.25 times its multiplications, but writes nothing to memory
between x and y. It has not run on a GPU: see benchmarks/README.md. MINUNET_CONVOLUTION=winograd chooses the former way.

Few channels make few blocks of dweight, too few for a GPU with many cores. Then the pixels are dealt out to several
blocks, each of which sums up its slab, and the slabs are added up.
"""

import math

from minunet.backend import Array, array_module
from minunet.fast import thresholds
from minunet.fast.cuda.loader import NULL, contiguous, launch
from minunet.fast.cuda.relu import relu_backward
from minunet.fast.same_as import same_as
from minunet.layers import conv as readable
from minunet.layers import conv_relu as readable_with_relu
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache
from minunet.layers.relu import ReluCache

SOURCE = "conv_tf32"
F_TILE, C_TILE, CHUNK, COLUMNS, ROWS, FEW_ROWS = 64, 32, 8, 16, 8, 4  # as in the source


@same_as(readable.conv2d_forward)  # for a 3x3 kernel in float32, as all that follow
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
    return backward(dy, conv_cache, relu_cache.y, with_dx)


def _forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    check_conv2d(x, weight, bias)
    N, _, H, W = x.shape
    y = array_module(x).empty((N, len(weight), H - 2, W - 2), x.dtype)
    _convolve(x, _packed(weight, turned=False), contiguous(bias, x.dtype), y, int(with_relu), frame=0)
    return y


def backward(dy: Array, cache: Conv2dCache, y: Array | None, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Return dx, or None without `with_dx`, dweight and dbias.

    `y` is the output of the ReLU that follows the convolution, or None without one.
    """
    x, weight = cache
    N, _, H, W = x.shape
    check_gradient(dy, (N, len(weight), H - 2, W - 2), x)
    dy = contiguous(dy if y is None else relu_backward(dy, ReluCache(y)), x.dtype)
    dx = None
    if with_dx:
        dx = array_module(x).empty(x.shape, x.dtype)
        _convolve(dy, _packed(weight, turned=True), NULL, dx, 0, frame=2)
    return dx, _weight_gradient(x, dy), dy.sum(axis=(0, 2, 3))


def _packed(weight: Array, turned: bool) -> Array:
    """Return the weights (F, C, 3, 3) as `convolve` reads them; with `turned`, for dx."""
    F, C = weight.shape[1::-1] if turned else weight.shape[:2]
    size = 9 * _blocks(F, F_TILE) * F_TILE * _blocks(C, CHUNK) * CHUNK
    packed = array_module(weight).empty(size, weight.dtype)
    launch(SOURCE, "pack_weight", size, contiguous(weight, weight.dtype), packed, size, F, C, int(turned))
    return packed


def _convolve(x: Array, packed: Array, bias: Array, y: Array, with_relu: int, frame: int) -> None:
    """Write y (N, F, OH, OW), the convolution of x (N, C, H, W) in a frame of so many zeros."""
    N, F, OH, OW = y.shape
    blocks = _blocks(F, F_TILE) * N * _blocks(OH, ROWS) * _blocks(OW, COLUMNS)
    args = contiguous(x, x.dtype), packed, bias, y, with_relu, frame, *x.shape, F, OH, OW
    launch(SOURCE, "convolve", 128 * blocks, *args, block=128)


def _weight_gradient(x: Array, dy: Array) -> Array:
    """Return dweight (F, C, 3, 3)."""
    N, F, OH, OW = dy.shape
    C = x.shape[1]
    slabs = count_slabs(N, C, F, OH, OW)
    blocks = _blocks(F, F_TILE) * _blocks(C, C_TILE) * slabs
    dweight = array_module(x).empty((slabs, F, C, 3, 3), x.dtype)
    args = contiguous(x, x.dtype), dy, dweight, slabs, *x.shape, F
    launch(SOURCE, "weight_gradient", 256 * blocks, *args, block=256)
    return dweight[0] if slabs == 1 else dweight.sum(axis=0)


def count_slabs(N: int, C: int, F: int, OH: int, OW: int) -> int:
    """Return into how many slabs the pixels of dy (N, F, OH, OW) are dealt out."""
    blocks = _blocks(F, F_TILE) * _blocks(C, C_TILE)
    tiles = N * _blocks(OH, FEW_ROWS) * _blocks(OW, COLUMNS)
    return max(1, min(thresholds.CUDA_BLOCKS // blocks, tiles // thresholds.CUDA_TF32_SLAB))


def _blocks(size: int, tile: int) -> int:
    """Return how many tiles cover so many elements."""
    return math.ceil(size / tile)
