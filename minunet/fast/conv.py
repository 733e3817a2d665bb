"""The convolution that the network uses: for each layer, the quickest of three ways to the same result.

    readable   minunet/layers/conv.py   9 products of the whole image
    direct     minunet/fast/cpu/direct.py    bands of rows that stay in cache; few channels in: direct_few_channels.py
    winograd   minunet/fast/cpu/winograd.py 3x3 kernels with a quarter of the multiplications

The last two are done in parts, one for each core: see `cpu/conv.py`, and `winograd_deep.py` for deep layers. Each
may end with the ReLU that follows.

On a CPU the rule is measured (`python benchmarks/conv.py`) and goes by shapes alone, so that a layer is always computed
in the same way: Winograd for 3x3 kernels with many channels in and out, on images of at least TILES tiles of 4x4
pixels. With fewer channels its transforms cost more than it saves; with fewer tiles it is those of the kernels.
Backward it pays from fewer channels on, since dx and dweight share what is transformed.

On a GPU it is Winograd for 3x3 kernels, by the CUDA kernels of minunet/fast/cuda, else the readable way. That is
reckoned, not measured: Winograd writes and reads 2.25 times x and 2.25 times y, the readable way 18 times y.

MINUNET_CONVOLUTION=direct in the environment rules Winograd out (on a GPU it is the readable way), readable both, and
winograd takes it wherever the kernel is 3x3.
"""

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.choose import choose, way_of
from minunet.fast.cpu import conv as split
from minunet.fast.cpu import direct as bands
from minunet.fast.cpu import direct_few_channels as few
from minunet.fast.cpu import winograd
from minunet.fast.cuda import winograd as winograd_kernels
from minunet.fast.layers import relu_backward, relu_forward
from minunet.layers import conv as readable
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache
from minunet.layers.relu import ReluCache

MANY_FORWARD, MANY_BACKWARD, TILES, FEW = 64, 32, 24, 4
IN_PARTS = bands, few, winograd
WAYS = ("auto", "readable", "direct", "winograd")


def conv2d_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, Conv2dCache]:
    """Do what `minunet.layers.conv.conv2d_forward` does; same arguments, results and errors."""
    check_conv2d(x, weight, bias)
    way = quickest(x, weight, MANY_FORWARD)
    if way in IN_PARTS:
        return split.forward(way, x, weight, bias, with_relu=False), Conv2dCache(x, weight)
    return way.conv2d_forward(x, weight, bias)


def conv2d_backward(dy: Array, cache: Conv2dCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.conv.conv2d_backward` does; same arguments, results and errors."""
    check_gradient(dy, output_shape(*cache), cache.x)
    way = quickest(*cache, MANY_BACKWARD)
    if way in IN_PARTS:
        return split.backward(way, dy, None, *cache, with_dx=True)
    return way.conv2d_backward(dy, cache)


def conv2d_relu_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Conv2dCache, ReluCache]]:
    """Convolve, and set everything negative to zero: `conv2d_forward` and `relu_forward` in one.

    Where the bias is added, y is still in a cache, or in a register of the GPU: there the ReLU costs next to nothing.

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (F, C, KH, KW)
    bias : array, (F,)

    Returns
    -------
    y : array, (N, F, H - KH + 1, W - KW + 1)
    cache : (Conv2dCache, ReluCache)
    """
    check_conv2d(x, weight, bias)
    way = quickest(x, weight, MANY_FORWARD)
    if way in IN_PARTS:
        y = split.forward(way, x, weight, bias, with_relu=True)
        return y, (Conv2dCache(x, weight), ReluCache(y))
    if way is winograd_kernels:
        return way.conv2d_relu_forward(x, weight, bias)
    y, conv_cache = way.conv2d_forward(x, weight, bias)
    y, relu_cache = relu_forward(y)
    return y, (conv_cache, relu_cache)


def conv2d_relu_backward(
    dy: Array, cache: tuple[Conv2dCache, ReluCache], with_dx: bool = True
) -> tuple[Array | None, Array, Array]:
    """Go back through both.

    Parameters
    ----------
    dy : array, (N, F, OH, OW)
    cache : (Conv2dCache, ReluCache)
    with_dx : bool
        Whether dx is wanted: for the network's first layer, whose x is the image, it mostly is not.

    Returns
    -------
    dx : array, (N, C, H, W); without `with_dx` it may be None
    dweight : array, (F, C, KH, KW)
    dbias : array, (F,)
    """
    conv_cache, relu_cache = cache
    check_gradient(dy, output_shape(*conv_cache), conv_cache.x)
    way = quickest(*conv_cache, MANY_BACKWARD)
    if way in IN_PARTS:
        return split.backward(way, dy, relu_cache.y, *conv_cache, with_dx)
    if way is winograd_kernels:
        return way.conv2d_relu_backward(dy, cache)
    return way.conv2d_backward(relu_backward(dy, relu_cache), conv_cache)


def output_shape(x: Array, weight: Array) -> tuple[int, int, int, int]:
    """Return the shape of y, (N, F, OH, OW)."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    return N, F, H - KH + 1, W - KW + 1


def quickest(x: Array, weight: Array, many: int):
    """Return the module whose way is to be taken; `many` is MANY_FORWARD or MANY_BACKWARD.

    Raises
    ------
    InputError
        If MINUNET_CONVOLUTION is set, and not to one of WAYS.
    """
    way = way_of("MINUNET_CONVOLUTION", WAYS)
    is_3x3 = weight.shape[2:] == (3, 3)
    if array_module(x) is not np:
        if not is_3x3 or way in ("readable", "direct"):
            return readable
        return choose(winograd if way == "winograd" else readable, winograd_kernels, x)
    if way == "readable":
        return readable
    if is_3x3 and (way == "winograd" or (way == "auto" and _is_worth_winograd(x, weight, many))):
        return winograd
    return few if weight.shape[1] <= FEW and weight.shape[2] > 1 else bands


def _is_worth_winograd(x: Array, weight: Array, many: int) -> bool:
    OH, OW = (size - 2 for size in x.shape[2:])
    return min(weight.shape[:2]) >= many and OH * OW >= 16 * TILES
