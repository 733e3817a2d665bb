"""The same up-convolution as `layers/up_conv.py`, by rows: its four taps are one matrix, (I J F, C).

    product[h, (i j f), w]     = sum_c    weight[c, (i j f)] * x[h, c, w]
    y[2h+i, f, 2w+j]           = bias[f] + product[h, (i j f), w]

    dx[h, c, w]                = sum_ijf  weight[c, (i j f)] * dproduct[h, (i j f), w]
    dweight[c, (i j f)]        = sum_hw   dproduct[h, (i j f), w] * x[h, c, w]

where dproduct[h, (i j f), w] = dy[2h+i, f, 2w+j]. The readable way makes four products, and each of them goes over all
of y, or dx.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.by_rows import Band, bands, rows_of
from minunet.fast.cpu.direct import sum_of_pixels, total
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.same_as import same_as
from minunet.layers import up_conv as readable
from minunet.layers.checks import check_gradient, check_up_conv
from minunet.layers.up_conv import UpConvCache

TAPS = [(i, j) for i in range(2) for j in range(2)]


@same_as(readable.up_conv_forward)
def up_conv_forward(x, weight, bias):
    check_up_conv(x, weight, bias)
    N, C, H, W = x.shape
    F = weight.shape[1]
    y = by_rows.empty(N, F, 2 * H, 2 * W, x.dtype)
    x_rows, y_rows = rows_of(x), rows_of(y)
    taps = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(4 * F, C)

    def work(band: Band) -> None:
        n, start, stop = band
        product = memory.empty((stop - start, 4 * F, W), x.dtype)
        np.matmul(taps, x_rows[n, start:stop], out=product)  # (4 F, C) @ (C, W), for each row
        for part, block in _blocks(product, y_rows[n, 2 * start : 2 * stop]):
            np.add(part, bias[:, None], out=block)

    in_parallel(work, bands(N, H, (C + 4 * F) * W))
    return y, UpConvCache(x, weight)


@same_as(readable.up_conv_backward)
def up_conv_backward(dy, cache):
    x, weight = cache
    N, C, H, W = x.shape
    F = weight.shape[1]
    check_gradient(dy, (N, F, 2 * H, 2 * W), x)
    dx = by_rows.empty(N, C, H, W, x.dtype)
    x_rows, dx_rows, dy_rows = rows_of(x), rows_of(dx), dy.transpose(0, 2, 1, 3)
    taps = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(C, 4 * F)

    def work(band: Band) -> tuple[Array, Array]:
        n, start, stop = band
        dproduct = memory.empty((stop - start, 4 * F, W), x.dtype)
        for part, block in _blocks(dproduct, dy_rows[n, 2 * start : 2 * stop]):
            part[:] = block
        np.matmul(taps, dproduct, out=dx_rows[n, start:stop])  # (C, 4 F) @ (4 F, W), for each row
        turned = memory.empty((stop - start, W, C), x.dtype)
        turned[:] = x_rows[n, start:stop].transpose(0, 2, 1)
        dtaps = np.matmul(dproduct, turned).sum(axis=0)  # (4 F, W) @ (W, C), for each row
        return dtaps, sum_of_pixels(dproduct)

    shares = in_parallel(work, bands(N, H, (C + 4 * F) * W))
    dtaps, dbias = (total(of_bands, N) for of_bands in zip(*shares, strict=True))
    dweight = np.ascontiguousarray(dtaps.reshape(2, 2, F, C).transpose(3, 2, 0, 1))
    return dx, dweight, dbias.reshape(4, F).sum(axis=0)


def _blocks(product: Array, y: Array) -> list[tuple[Array, Array]]:
    """Return for each tap its part of the product, (rows, F, W), and its pixels of y (2 rows, F, 2 W)."""
    parts = product.reshape(len(product), 4, -1, product.shape[2])
    return [(parts[:, tap], y[i::2, :, j::2]) for tap, (i, j) in enumerate(TAPS)]
