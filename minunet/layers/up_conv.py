"""Up-convolution: transposed convolution with a 2x2 kernel, stride 2.

    y[n,f,2h+i,2w+j]   = bias[f] + sum_c weight[c,f,i,j] * x[n,c,h,w]

    dx[n,c,h,w]        = sum_{f,i,j}   weight[c,f,i,j] * dy[n,f,2h+i,2w+j]
    dweight[c,f,i,j]   = sum_{n,h,w}   x[n,c,h,w]      * dy[n,f,2h+i,2w+j]
    dbias[f]           = sum_{n,h,w}   dy[n,f,h,w]

Stride equals kernel size, so nothing overlaps: each pixel of x paints its own 2x2 block of y, and each of the
four taps (i, j) is one matrix product that fills every second row and column.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_gradient, check_up_conv
from minunet.layers.pool import CORNERS


class UpConvCache(NamedTuple):
    x: Array  # (N, C, H, W)
    weight: Array  # (C, F, 2, 2)


def up_conv_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, UpConvCache]:
    """Double height and width and map C channels to F (Fig. 1, "up-conv 2x2").

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (C, F, 2, 2)
    bias : array, (F,)

    Returns
    -------
    y : array, (N, F, 2 * H, 2 * W)
    cache : UpConvCache

    Raises
    ------
    InputError
        If a shape does not fit the others.
    """
    check_up_conv(x, weight, bias)
    xp = array_module(x)
    N, C, H, W = x.shape
    F = weight.shape[1]
    flat = xp.ascontiguousarray(x).reshape(N, C, H * W)
    y = xp.empty((N, F, 2 * H, 2 * W), x.dtype)
    for i, j in CORNERS:
        tap = xp.ascontiguousarray(weight[:, :, i, j].T)  # (F, C)
        y[:, :, i::2, j::2] = (tap @ flat).reshape(N, F, H, W)
    y += bias[:, None, None]
    return y, UpConvCache(x, weight)


def up_conv_backward(dy: Array, cache: UpConvCache) -> tuple[Array, Array, Array]:
    """Read back, tap by tap, the 2x2 block of dy that each pixel of x has painted.

    Parameters
    ----------
    dy : array, (N, F, 2 * H, 2 * W)
    cache : UpConvCache

    Returns
    -------
    dx : array, (N, C, H, W)
    dweight : array, (C, F, 2, 2)
    dbias : array, (F,)
    """
    check_cache(cache, UpConvCache)
    x, weight = cache
    xp = array_module(x)
    N, C, H, W = x.shape
    F = weight.shape[1]
    check_gradient(dy, (N, F, 2 * H, 2 * W), x)
    flat = xp.ascontiguousarray(x).reshape(N, C, H * W)
    dx = xp.zeros((N, C, H * W), x.dtype)
    dweight = xp.empty_like(weight, order="C")
    for i, j in CORNERS:
        tap = xp.ascontiguousarray(weight[:, :, i, j])  # (C, F)
        dy_tap = xp.ascontiguousarray(dy[:, :, i::2, j::2]).reshape(N, F, H * W)
        dx += tap @ dy_tap  # (C, F) @ (N, F, HW) -> (N, C, HW)
        dweight[:, :, i, j] = (flat @ dy_tap.transpose(0, 2, 1)).sum(axis=0)  # (N, C, HW) @ (N, HW, F) -> (C, F)
    dbias = dy.sum(axis=(0, 2, 3), dtype=x.dtype)  # (F,)
    return dx.reshape(N, C, H, W), dweight, dbias
