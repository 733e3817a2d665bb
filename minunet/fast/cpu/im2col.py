"""The same convolution for deep layers of few pixels, where the kernels hold far more numbers than the image.

There the time goes into reading the kernels, so nothing is done to them: `weight` (F, C, KH, KW) is a matrix as it lies
in memory. What a pixel of y sees becomes a column (im2col, "image to columns"), and a convolution is one product:

    columns[(c kh kw), (h w)] = x[c, h + kh, w + kw]

    y          = weight   @ columns   + bias              (F, C KH KW) @ (C KH KW, OH OW)
    dweight    = dy       @ columns.T                     (F, OH OW) @ (OH OW, C KH KW)
    dcolumns   = weight.T @ dy                            (C KH KW, F) @ (F, OH OW)

and dx is the sum of what each of its pixels gave to `columns`. The columns take KH * KW times the memory of x, which
is little here. With many pixels it is not, and the products of `direct.py` or Winograd's are quicker.

A part of the work is some kernels, or for dx some channels of x. The parts depend on the sizes alone.
"""

import itertools

import numpy as np

from minunet.backend import Array
from minunet.fast import thresholds
from minunet.fast.cpu import by_rows, memory
from minunet.fast.cpu.direct import relu
from minunet.fast.cpu.parallel import in_parallel


def forward(x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Do what `direct.forward` does."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    kernels, columns = weight.reshape(F, -1), _columns(x, KH, KW)
    y = by_rows.empty(N, F, OH, OW, x.dtype)

    def some_kernels(some: slice) -> None:
        product = memory.product(kernels[some], columns)  # (N, kernels, OH OW)
        product += bias[some, None]
        if with_relu:
            relu(product)
        y[:, some] = product.reshape(N, -1, OH, OW)

    in_parallel(some_kernels, _parts(*kernels.shape))
    return y


def backward(dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool) -> tuple[Array | None, Array, Array]:
    """Do what `direct.backward` does."""
    N, F, OH, OW = dy.shape
    _, C, KH, KW = weight.shape
    H, W = x.shape[2:]
    kernels, columns = weight.reshape(F, -1), _columns(x, KH, KW)
    dz = np.ascontiguousarray(dy if y is None else dy * (y > 0)).reshape(N, F, OH * OW)
    dweight = np.empty((F, C * KH * KW), x.dtype)
    dx = by_rows.empty(N, C, H, W, x.dtype) if with_dx else None

    def some_kernels(some: slice) -> None:
        np.matmul(dz[0, some], columns[0].T, out=dweight[some])
        for n in range(1, N):
            dweight[some] += dz[n, some] @ columns[n].T

    def some_channels(some: slice) -> None:
        assert dx is not None
        of_channels = kernels[:, some.start * KH * KW : some.stop * KH * KW]
        dcolumns = memory.product(of_channels.T, dz).reshape(N, -1, KH, KW, OH, OW)
        dx_part = dx[:, some]
        dx_part[:] = 0
        for kh in range(KH):
            for kw in range(KW):
                dx_part[:, :, kh : kh + OH, kw : kw + OW] += dcolumns[:, :, kh, kw]

    in_parallel(some_kernels, _parts(*kernels.shape))
    if dx is not None:
        in_parallel(some_channels, _parts(C, F * KH * KW))
    return dx, dweight.reshape(weight.shape), dz.sum(axis=2).sum(axis=0)


def _columns(x: Array, KH: int, KW: int) -> Array:
    """Return what each pixel of y sees, (N, C KH KW, OH OW), of x (N, C, H, W)."""
    N, C, H, W = x.shape
    OH, OW = H - KH + 1, W - KW + 1
    columns = memory.empty((N, C, KH, KW, OH, OW), x.dtype)
    for kh in range(KH):
        for kw in range(KW):
            columns[:, :, kh, kw] = x[:, :, kh : kh + OH, kw : kw + OW]
    return columns.reshape(N, C * KH * KW, OH * OW)


def _parts(count: int, numbers: int) -> list[slice]:
    """Cut so many kernels, or channels, into parts; each of them has so many numbers of the weight."""
    pieces = max(1, min(count, thresholds.IM2COL_PARTS, count * numbers // thresholds.SMALL_BAND))
    edges = [count * k // pieces for k in range(pieces + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]
