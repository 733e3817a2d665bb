"""The same convolution as `layers/conv.py`, faster on a CPU: it keeps what it works on in cache.

The readable way makes KH * KW products of the whole image, and each of them reads and writes more memory than a cache
holds: with few channels the processor mostly waits for memory. Here the work goes band by band, a few rows of y at a
time. For one band, the rows of x that it sees are copied KW times, each time shifted by one column and cut to OW
columns:

    columns[kw, c, h, w] = x[n, c, top + h, kw + w]        h in 0..rows+KH-2, w in 0..OW-1

Laid out flat, a shift by kh rows is an offset of kh * OW, as in the readable way, and no column runs on into the next
row. So the sum over kw and c is a matrix product. For y the KH rows of the kernel are stacked, which makes ONE larger
product. Its KH blocks are then added, each one row lower than the last, and the ReLU follows while y is in cache:

    product[(kh f), (h, w)]  = weight[(kh f), (kw c)] @ columns[(kw c), (h, w)]
    y[n, f, top + h, w]      = bias[f] + sum_kh  product[(kh f), (kh + h, w)]

    dweight[kh, (kw c), f]  += columns[(kw c), (kh + h, w)] @ dy[n, f, (h, w)].T

and dx is a convolution, too: of dy within a frame of KH - 1 and KW - 1 zeros, with the kernel rotated by 180 degrees.

    dx[n, c, h, w] = sum_{f,kh,kw}  weight[f, c, KH-1-kh, KW-1-kw] * framed_dy[n, f, h + kh, w + kw]

The results equal those of the readable way up to rounding; the tests compare the two.
"""

from collections.abc import Iterator

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds


def forward(x: Array, weight: Array, bias: Array, y: Array, with_relu: bool = False) -> None:
    """Convolve x (N, C, H, W) with weight (F, C, KH, KW), add the bias, and write the result to y (N, F, OH, OW)."""
    F, C, KH, KW = weight.shape
    OH, OW = y.shape[2:]
    stacked = np.ascontiguousarray(weight.transpose(2, 0, 3, 1)).reshape(KH * F, KW * C)
    buffer = np.empty(KH * F * (_rows(OH, OW) + KH - 1) * OW, x.dtype)  # one for all bands
    for n, top, rows, columns in bands_of_columns(x, KH, KW):
        product = buffer[: KH * F * columns.shape[1]].reshape(KH * F, columns.shape[1])
        np.matmul(stacked, columns, out=product)  # (KH F, KW C) @ (KW C, (rows + KH - 1) OW)
        blocks = product.reshape(KH, F, rows + KH - 1, OW)  # one for each row of the kernel
        y_band = y[n, :, top : top + rows]  # (F, rows, OW)
        np.add(blocks[0, :, :rows], bias[:, None, None], out=y_band)
        for kh in range(1, KH):
            y_band += blocks[kh, :, kh : kh + rows]
        if with_relu:
            np.maximum(y_band, 0, out=y_band)


def backward(
    dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None, dweight: Array, rim: Array | None = None
) -> Array:
    """Write the gradients to dx (N, C, H, W), unless that is None, and dweight (F, C, KH, KW); return dbias (F,).

    `y` is None, or the output of `forward` with the ReLU; then the backward pass begins with the ReLU. With a `rim`
    (N, C, KH - 1, W), the first KH - 1 rows of dx are written there.
    """
    F, C, KH, KW = weight.shape
    if dx is not None:
        framed_dy, inside = frame(dy, KH, KW)
    product, dbias = np.zeros((KH, KW * C, F), x.dtype), np.zeros(F, x.dtype)
    for n, top, rows, columns in bands_of_columns(x, KH, KW):
        band = n, slice(None), slice(top, top + rows)
        dy_band = through_relu(dy[band], None if y is None else y[band])  # (F, rows, OW)
        if dx is not None:
            inside[band] = dy_band
        flat_dy, OW = dy_band.reshape(F, -1), dy_band.shape[2]
        dbias += flat_dy.sum(axis=1)
        for kh in range(KH):
            seen = columns[:, kh * OW : (kh + rows) * OW]  # (KW C, rows OW)
            product[kh] += seen @ flat_dy.T  # (KW C, rows OW) @ (rows OW, F) -> (KW C, F), the larger matrix first
    dweight[:] = product.reshape(KH, KW, C, F).transpose(3, 2, 0, 1)
    if dx is not None:
        backward_to_x(framed_dy, weight, dx, rim)
    return dbias


def through_relu(dy: Array, y: Array | None) -> Array:
    """Return dy where y is positive, else 0; if y is None, all of dy."""
    gate = 1 if y is None else y > 0
    return dy * gate


def frame(dy: Array, KH: int, KW: int) -> tuple[Array, Array]:
    """Return zeros (N, F, OH + 2 KH - 2, OW + 2 KW - 2), and a view of what is inside a frame of KH - 1 and KW - 1."""
    N, F, OH, OW = dy.shape
    framed_dy = np.zeros((N, F, OH + 2 * KH - 2, OW + 2 * KW - 2), dy.dtype)
    return framed_dy, framed_dy[:, :, KH - 1 : KH - 1 + OH, KW - 1 : KW - 1 + OW]


def backward_to_x(framed_dy: Array, weight: Array, dx: Array, rim: Array | None) -> None:
    """Write the gradient of x to dx (N, C, H, W); its first rows to the rim instead, if there is one."""
    turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, F, KH, KW)
    no_bias = np.zeros(len(turned), dx.dtype)
    if rim is None:
        forward(framed_dy, turned, no_bias, dx)
        return
    first = rim.shape[2]  # rows of dx that belong to the rim, KH - 1
    forward(framed_dy[:, :, first:], turned, no_bias, dx[:, :, first:])
    if first > 0:
        forward(framed_dy[:, :, : 2 * first], turned, no_bias, rim)


def bands_of_columns(x: np.ndarray, KH: int, KW: int) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Yield n, top, rows and columns of each band: image n, and so many rows of y from `top` on.

    The columns are (KW C, (rows + KH - 1) OW), in one buffer that the next band overwrites.
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
            yield n, top, height - KH + 1, columns.reshape(KW * C, height * OW)


def _rows(OH: int, OW: int) -> int:
    """Return how many rows of y a band has."""
    return min(OH, max(thresholds.DIRECT_BAND_ROWS, thresholds.DIRECT_BAND_PIXELS // OW))
