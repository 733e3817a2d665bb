"""Convolution: valid cross-correlation, stride 1, any kernel size.

    y[n,f,h,w]          = bias[f] + sum_{c,kh,kw} weight[f,c,kh,kw] * x[n,c,h+kh,w+kw]

    dx[n,c,h+kh,w+kw]  += sum_f     weight[f,c,kh,kw] * dy[n,f,h,w]      for every tap (kh,kw)
    dweight[f,c,kh,kw]  = sum_{n,h,w}    dy[n,f,h,w]  * x[n,c,h+kh,w+kw]
    dbias[f]            = sum_{n,h,w}    dy[n,f,h,w]

One tap (kh, kw) of the kernel multiplies the whole image, shifted by (kh, kw). Lay the image out flat, row
after row, and that shift is a plain offset of kh * W + kw, so each tap is ONE matrix product on a view of x:

    (F, C) @ (C, L)     with L = OH * W - (KW - 1) pixels, starting at the offset of the tap

The price: a flat product cannot stop at the right edge. It makes rows of the full width W, whose last KW - 1
columns have run on into the next row. They are cropped from y at the end, and are zero in dy on the way back.

Axis letters, here and everywhere: N batch, C channels in, F channels out, H W input, KH KW kernel, OH OW output.
"""

from typing import NamedTuple

from minunet.backend import Array, array_module
from minunet.layers.cache_checks import check_cache
from minunet.layers.checks import check_conv2d, check_gradient


class Conv2dCache(NamedTuple):
    x: Array  # (N, C, H, W)
    weight: Array  # (F, C, KH, KW)


def conv2d_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, Conv2dCache]:
    """Convolve every image of a batch with F kernels and add a bias (Fig. 1, "conv 3x3" and "conv 1x1").

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (F, C, KH, KW)
    bias : array, (F,)

    Returns
    -------
    y : array, (N, F, H - KH + 1, W - KW + 1)
    cache : Conv2dCache

    Raises
    ------
    InputError
        If a shape does not fit the others, or the image is smaller than the kernel.
    """
    check_conv2d(x, weight, bias)
    xp = array_module(x)
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    L = OH * W - (KW - 1)

    flat = xp.ascontiguousarray(x).reshape(N, C, H * W)
    wide = xp.zeros((N, F, OH * W), x.dtype)
    product = xp.empty((N, F, L), x.dtype)  # one buffer for all taps: no new memory in the loop
    for offset, tap in _taps(weight, W):
        xp.matmul(tap, flat[:, :, offset : offset + L], out=product)  # (F, C) @ (N, C, L) -> (N, F, L)
        wide[:, :, :L] += product
    y = wide.reshape(N, F, OH, W)[:, :, :, :OW] + bias[:, None, None]  # (N, F, OH, OW)
    return y, Conv2dCache(x, weight)


def conv2d_backward(dy: Array, cache: Conv2dCache) -> tuple[Array, Array, Array]:
    """The loop over taps, mirrored: what a tap read, it now writes to; what it wrote, it now reads.

    Parameters
    ----------
    dy : array, (N, F, OH, OW)
    cache : Conv2dCache

    Returns
    -------
    dx : array, (N, C, H, W)
    dweight : array, (F, C, KH, KW)
    dbias : array, (F,)
    """
    check_cache(cache, Conv2dCache)
    x, weight = cache
    xp = array_module(x)
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    L = OH * W - (KW - 1)
    check_gradient(dy, (N, F, OH, OW), x)

    flat = xp.ascontiguousarray(x).reshape(N, C, H * W)
    wide = xp.zeros((N, F, OH, W), x.dtype)
    wide[:, :, :, :OW] = dy
    wide = wide.reshape(N, F, OH * W)[:, :, :L]  # (N, F, L)

    dx = xp.zeros((N, C, H * W), x.dtype)
    dweight = xp.empty((KH * KW, F, C), x.dtype)
    product = xp.empty((N, C, L), x.dtype)
    for k, (offset, tap) in enumerate(_taps(weight, W)):
        pixels = slice(offset, offset + L)
        xp.matmul(tap.T, wide, out=product)  # (C, F) @ (N, F, L) -> (N, C, L)
        dx[:, :, pixels] += product
        dweight[k] = (wide @ flat[:, :, pixels].transpose(0, 2, 1)).sum(axis=0)  # (N, F, L) @ (N, L, C) -> (F, C)
    dx = dx.reshape(N, C, H, W)
    dweight = xp.ascontiguousarray(dweight.transpose(1, 2, 0)).reshape(F, C, KH, KW)
    dbias = dy.sum(axis=(0, 2, 3), dtype=x.dtype)  # (F,)
    return dx, dweight, dbias


def _taps(weight: Array, W: int):
    """Yield each tap's offset in a flat image of width W, and its matrix, (F, C)."""
    taps = array_module(weight).ascontiguousarray(weight.transpose(2, 3, 0, 1))  # (KH, KW, F, C)
    KH, KW = taps.shape[:2]
    for kh in range(KH):
        for kw in range(KW):
            yield kh * W + kw, taps[kh, kw]
