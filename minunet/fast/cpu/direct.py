"""The same convolution as `layers/conv.py`, faster on a CPU: by rows, each in products small enough for the cache.

The readable way makes KH * KW products of the whole image, and each of them reads and writes more memory than a cache
holds: with few channels the processor mostly waits for memory. Here the images lie by rows (see `by_rows.py`), and what
row h of y sees is ONE matrix, without a copy. So that row is a sum of KW products, one for each column of the kernel:

    y[h]            = bias + sum_kw  taps[kw]    @ window[h][:, kw : kw + OW]        (F, KH C) @ (KH C, OW)

dx is a convolution, too: of dy within a frame of KH - 1 and KW - 1 zeros, with the kernel turned by 180 degrees.

    dx[h]           =        sum_kw  turned[kw]  @ framed_dy window[h][:, kw : kw + W]     (C, KH F) @ (KH F, W)

    dtaps[kw]       = sum_h   window[h][:, kw : kw + OW] @ dy[h].T                   (KH C, OW) @ (OW, F)

The products are small on purpose. OpenBLAS packs the factors of a large product before it multiplies, and with few
channels that takes longer than the product.

The work goes band by band, some rows at a time: the ReLU, forward and backward, is done while a band is in cache. A
band of the backward pass is some rows of dx. It sees KH - 1 rows more of dy, and those it works out for itself.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, along_row, bands, rows_of, windows
from minunet.fast.cpu.parallel import in_parallel


def forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Return y (N, F, OH, OW) of x (N, C, H, W), weight (F, C, KH, KW) and bias (F,)."""
    images, weight = _few_channels_as_more(rows_of(x), weight)
    F, _, KH, KW = weight.shape
    N, H, _, W = images.shape
    y = by_rows.empty(N, F, H - KH + 1, W - KW + 1, x.dtype)
    rows, taps, bias_of_row = rows_of(y), _taps(weight), bias_along_row(bias, y.shape[3])

    def work(band: Band) -> None:
        seen = images[band.image, band.start : band.stop + KH - 1]
        out = rows[band.image, band.start : band.stop]  # (rows, F, OW)
        convolve(seen, taps, out)
        finish(out, bias_of_row, with_relu)

    in_parallel(work, bands(N, H - KH + 1, max(images[0, 0].size, rows[0, 0].size)))
    return y


def backward(dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Return dx (N, C, H, W), or None without `with_dx`, dweight (F, C, KH, KW) and dbias (F,).

    `y` is None, or the output of `forward` with the ReLU; then the backward pass begins with the ReLU.
    """
    images, kernels = rows_of(x), weight
    if not with_dx:
        images, kernels = _few_channels_as_more(images, kernels)
    F, _, KH, KW = kernels.shape
    N, H, _, W = images.shape
    dx = by_rows.empty(N, x.shape[1], H, x.shape[3], x.dtype) if with_dx else None
    dx_rows = None if dx is None else rows_of(dx)
    dy_rows, y_rows = dy.transpose(0, 2, 1, 3), None if y is None else y.transpose(0, 2, 1, 3)
    turned = _taps(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))

    def work(band: Band) -> tuple[Array, Array]:
        framed, own = framed_band(dy_rows, y_rows, band, KH, KW)
        if dx_rows is not None:
            convolve(framed, turned, dx_rows[band.image, band.start : band.stop])
        seen = images[band.image, band.start : band.start + len(own) + KH - 1]
        return _dtaps(seen, own, KH, KW), sum_of_pixels(own)

    rows = H if with_dx else H - KH + 1
    shares = in_parallel(work, bands(N, rows, images[0, 0].size))
    dtaps, dbias = (total(of_bands, N) for of_bands in zip(*shares, strict=True))
    dkernels = dtaps.reshape(KW, KH, -1, F).transpose(3, 2, 1, 0)  # (F, C, KH, KW)
    return dx, _weight_of(dkernels, weight.shape), dbias


def convolve(seen: Array, taps: Array, out: Array) -> None:
    """Write the convolution of `seen` (rows + KH - 1, C, W) to `out` (rows, F, OW); `taps` are (KW, F, KH C)."""
    KW, _, wide = taps.shape
    columns = windows(seen, wide // seen.shape[1], KW)  # (KW, rows, KH C, OW)
    np.matmul(taps[0], columns[0], out=out)
    if KW > 1:
        product = memory.empty(out.shape, out.dtype)
        for kw in range(1, KW):
            np.matmul(taps[kw], columns[kw], out=product)
            out += product


def _dtaps(seen: Array, dy: Array, KH: int, KW: int) -> Array:
    """Return the gradient of the taps, (KW, KH C, F), of `seen` (rows + KH - 1, C, W) and dy (rows, F, OW)."""
    rows, F, OW = dy.shape
    if rows == 0:  # the last KH - 1 rows of dx have no row of dy of their own
        return np.zeros((KW, KH * seen.shape[1], F), dy.dtype)
    columns = windows(seen, KH, KW)  # (KW, rows, KH C, OW)
    turned = memory.empty((rows, OW, F), dy.dtype)
    turned[:] = dy.transpose(0, 2, 1)
    dtaps = np.zeros((KW, columns.shape[2], F), dy.dtype)
    some = max(1, thresholds.PRODUCTS // dtaps[0].size)  # rows at a time, so that their products fit in cache
    products = memory.empty((min(some, rows), *dtaps.shape[1:]), dy.dtype)
    for kw in range(KW):
        for top in range(0, rows, some):
            part = products[: min(some, rows - top)]
            np.matmul(columns[kw, top : top + some], turned[top : top + some], out=part)
            dtaps[kw] += part.sum(axis=0)
    return dtaps


def framed_band(dy: Array, y: Array | None, band: Band, KH: int, KW: int) -> tuple[Array, Array]:
    """Go back through the ReLU with the rows of dy that a band of dx sees, and put a frame of zeros around them.

    Parameters
    ----------
    dy : array, (N, OH, F, OW)
    y : array, (N, OH, F, OW), or None if there is no ReLU
    band : Band
        Rows of dx.

    Returns
    -------
    framed : array, (rows + KH - 1, F, OW + 2 KW - 2)
        With zeros for rows above and below the image, too.
    own : view of it, (up to rows, F, OW)
        The rows of dy from the band's first on, which no other band has.
    """
    _, OH, F, OW = dy.shape
    n, start, stop = band
    top = start - KH + 1  # row of dy that is the first one here, perhaps above the image
    first, last = max(top, 0), min(stop, OH)
    framed = memory.empty((stop - top, F, OW + 2 * KW - 2), dy.dtype)
    framed[: first - top] = framed[last - top :] = 0
    inside = framed[first - top : last - top]
    inside[:, :, : KW - 1] = inside[:, :, OW + KW - 1 :] = 0
    inside = inside[:, :, KW - 1 : OW + KW - 1]
    if y is None:
        inside[:] = dy[n, first:last]
    else:
        gate = memory.empty(inside.shape, bool)
        np.greater(y[n, first:last], 0, out=gate)
        np.multiply(dy[n, first:last], gate, out=inside)
    return framed, inside[start - first :]


def bias_along_row(bias: Array, OW: int) -> Array | None:
    """Return the bias for each number of a row of y, (F OW,); None if it is 0, as before a normalisation."""
    return along_row(bias, OW) if bias.any() else None


def finish(y: Array, bias_of_row: Array | None, with_relu: bool) -> None:
    """Add the bias to y (rows, F, OW), and do the ReLU, in place; y must be contiguous."""
    if bias_of_row is not None:
        flat = y.reshape(len(y), -1)
        flat += bias_of_row
    if with_relu:
        relu(y)


def relu(x: Array) -> None:
    """Set what is negative to zero, in place; x must be contiguous."""
    np.maximum(x, _zeros(x.size, x.dtype).reshape(x.shape), out=x)


def sum_of_pixels(x: Array) -> Array:
    """Return the sum over rows and columns, (C,), of x (rows, C, W)."""
    return np.matmul(x, np.ones(x.shape[2], x.dtype)).sum(axis=0)


def _zeros(count: int, dtype: np.dtype) -> Array:
    """Return so many zeros: NumPy finds the larger of two arrays much faster than that of an array and a number."""
    return _as_many_zeros(2 ** math.ceil(math.log2(count + 1)), dtype)[:count]


@functools.lru_cache(8)
def _as_many_zeros(count: int, dtype: np.dtype) -> Array:
    return np.zeros(count, dtype)


def total(of_bands: Sequence[Array], N: int) -> Array:
    """Return the sum of what was found on the bands of N images; some of the arrays are changed.

    It is the sum of the images' sums: so it is the same, bit for bit, where each image is another process's.
    """
    return in_order(by_image(of_bands, N))


def by_image(of_bands: Sequence[Array], N: int) -> list[Array]:
    """Return the sum for each image of what was found on the bands of N images."""
    count = len(of_bands) // N
    return [in_order(of_bands[n * count : (n + 1) * count]) for n in range(N)]


def in_order(arrays: Sequence[Array]) -> Array:
    """Return the sum of the arrays, in their order; the first one is changed."""
    result, *others = arrays
    for array in others:
        result += array
    return result


def _taps(weight: Array) -> Array:
    """Return weight (F, C, KH, KW) as a matrix for each column of the kernel, (KW, F, KH C)."""
    F, C, KH, KW = weight.shape
    return np.ascontiguousarray(weight.transpose(3, 0, 2, 1)).reshape(KW, F, KH * C)


def _few_channels_as_more(images: Array, weight: Array) -> tuple[Array, Array]:
    """Of few channels, as in the first layer, make the columns of the kernel channels, too.

    Of images (N, H, C, W) and weight (F, C, KH, KW) return images (N, H, KW C, OW) and weight (F, KW C, KH, 1). Then a
    row of y is one product and not KW small ones. With few channels x is much smaller than y, and cheap to copy.
    """
    F, C, KH, KW = weight.shape
    if C > thresholds.FEW_CHANNELS or KW == 1:
        return images, weight
    N, H, _, W = images.shape
    OW = W - KW + 1
    shifted = memory.empty((N, H, KW, C, OW), images.dtype)
    for kw in range(KW):
        shifted[:, :, kw] = images[..., kw : kw + OW]
    return shifted.reshape(N, H, KW * C, OW), weight.transpose(0, 3, 1, 2).reshape(F, KW * C, KH, 1)


def _weight_of(weight: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of the weight as it was before `_few_channels_as_more`."""
    F, C, KH, KW = shape
    if weight.shape == shape:
        return np.ascontiguousarray(weight)
    return np.ascontiguousarray(weight.reshape(F, KW, C, KH).transpose(0, 2, 3, 1))
