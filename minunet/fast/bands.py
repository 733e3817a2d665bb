"""The same convolution as `layers/conv.py`, and faster on a CPU: it keeps what it works on in cache.

The readable way makes KH * KW products of the whole image, and each of them reads and writes more memory than a cache
holds: for few channels the processor mostly waits. Here the image is worked through in bands of a few rows of y. For
one band, the rows of x that it sees are copied KW times, each time shifted by one column and cut to OW columns:

    columns[kw, c, h, w] = x[n, c, top + h, kw + w]        h in 0..rows+KH-2, w in 0..OW-1

Laid out flat, a shift by kh rows is an offset of kh * OW, as in the readable way, and no column runs on into the next
row. So the sum over kw and c is a matrix product. For y the KH rows of the kernel are stacked to make it ONE, larger
product, whose KH blocks are then added, each kh rows lower than the last:

    product[(kh f), (h, w)]  = weight[(kh f), (kw c)] @ columns[(kw c), (h, w)]
    y[n, f, top + h, w]      = bias[f] + sum_kh  product[(kh f), (kh + h, w)]

    dweight[kh, f, (kw c)]  += dy[n, f, (h, w)] @ columns[(kw c), (kh + h, w)].T

and dx is a convolution too: of dy, within a frame of KH - 1 and KW - 1 zeros, with the kernel turned by half a turn.

    dx[n, c, h, w] = sum_{f,kh,kw}  weight[f, c, KH-1-kh, KW-1-kw] * framed_dy[n, f, h + kh, w + kw]

The results equal those of the readable way up to rounding; the tests hold one against the other.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array
from minunet.layers.checks import check_conv2d, check_gradient
from minunet.layers.conv import Conv2dCache

BAND_PIXELS, BAND_ROWS = 8192, 16  # a band has about so many pixels of y, and at least so many rows


def conv2d_forward(x: Array, weight: Array, bias: Array) -> tuple[Array, Conv2dCache]:
    """Do what `minunet.layers.conv.conv2d_forward` does; same arguments, results and errors."""
    check_conv2d(x, weight, bias)
    return _correlate(x, weight, bias), Conv2dCache(x, weight)


def conv2d_backward(dy: Array, cache: Conv2dCache) -> tuple[Array, Array, Array]:
    """Do what `minunet.layers.conv.conv2d_backward` does; same arguments, results and errors."""
    x, weight = cache
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    check_gradient(dy, (N, F, H - KH + 1, W - KW + 1), x)
    dy = dy.astype(x.dtype, copy=False)
    framed_dy = np.pad(dy, [(0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)])
    turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, F, KH, KW)
    dx = _correlate(framed_dy, turned, np.zeros(C, x.dtype))  # (N, C, H, W)
    return dx, _dweight(dy, x, KH, KW), dy.sum(axis=(0, 2, 3))


def _dweight(dy: np.ndarray, x: np.ndarray, KH: int, KW: int) -> np.ndarray:
    """Return the sum over all pixels of dy (N, F, OH, OW) times what the kernel saw of x, (F, C, KH, KW)."""
    N, F, OH, OW = dy.shape
    C = x.shape[1]
    flat_dy = np.ascontiguousarray(dy).reshape(N, F, OH * OW)
    dweight = np.zeros((KH, F, KW * C), x.dtype)
    for n, band, columns in _bands(x, KH, KW):
        pixels = band.stop - band.start
        for kh in range(KH):
            seen = columns[:, kh * OW : kh * OW + pixels]  # (KW C, rows OW)
            dweight[kh] += flat_dy[n, :, band] @ seen.T  # (F, rows OW) @ (rows OW, KW C) -> (F, KW C)
    return np.ascontiguousarray(dweight.reshape(KH, F, KW, C).transpose(1, 3, 0, 2))


def _correlate(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the valid cross-correlation of x (N, C, H, W) with weight (F, C, KH, KW), plus bias, (N, F, OH, OW)."""
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    stacked = np.ascontiguousarray(weight.transpose(2, 0, 3, 1)).reshape(KH * F, KW * C)
    y = np.empty((N, F, OH * OW), x.dtype)
    buffer = np.empty(KH * F * (_rows(OH, OW) + KH - 1) * OW, x.dtype)  # one for all bands
    for n, band, columns in _bands(x, KH, KW):
        pixels = band.stop - band.start
        product = buffer[: KH * F * columns.shape[1]].reshape(KH * F, columns.shape[1])
        np.matmul(stacked, columns, out=product)  # (KH F, KW C) @ (KW C, (rows + KH - 1) OW)
        product = product.reshape(KH, F, -1)
        y_band = y[n, :, band]  # (F, rows OW)
        np.add(product[0, :, :pixels], bias[:, None], out=y_band)
        for kh in range(1, KH):
            y_band += product[kh, :, kh * OW : kh * OW + pixels]
    return y.reshape(N, F, OH, OW)


def _bands(x: np.ndarray, KH: int, KW: int) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Yield the image's index, the pixels of a band in the flat y, and its columns (KW * C, (rows + KH - 1) * OW).

    The columns lie in one buffer, which the next band overwrites.
    """
    N, C, H, W = x.shape
    OH, OW = H - KH + 1, W - KW + 1
    rows = _rows(OH, OW)
    buffer = np.empty(KW * C * (rows + KH - 1) * OW, x.dtype)
    for n in range(N):
        for top in range(0, OH, rows):
            height = min(rows, OH - top) + KH - 1  # rows of x that the band sees
            columns = buffer[: KW * C * height * OW].reshape(KW, C, height, OW)
            for kw in range(KW):
                columns[kw] = x[n, :, top : top + height, kw : kw + OW]
            band = slice(top * OW, (top + height - KH + 1) * OW)
            yield n, band, columns.reshape(KW * C, height * OW)


def _rows(OH: int, OW: int) -> int:
    """Return how many rows of y make a band."""
    return min(OH, max(BAND_ROWS, BAND_PIXELS // OW))
