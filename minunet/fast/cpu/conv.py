"""A convolution in parts, one for each core: what the other files here do to an image is done to each part.

On images of many pixels a part is some rows of y, forward and backward, and reads all kernels. Backward, two
neighbouring parts see KH - 1 rows of x in common, and dx is there the sum of both. Each part writes its first KH - 1
rows of dx to a rim of its own, which is added when all are done:

    part 0    ...  rows of dx  | rim |
    part 1                     | rim |  rows of dx  ...

Where a part would have few pixels and many kernels to read, it is the kernels that are shared out. Forward, a part is
some of them, and reads all of x. Backward, a part is some channels of x: dx and dweight come apart along them, and each
part reads all of dy. With Winograd's way it pays to transform what all parts read once for all: `winograd_deep.py`.
"""

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.cpu import winograd, winograd_deep
from minunet.fast.cpu.parallel import in_parallel, slices, threads

WORTH = 5 * 10**7  # multiplications: with fewer, some milliseconds, threads wait for each other longer than they work


def forward(way, x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Return y (N, F, OH, OW) of x (N, C, H, W), weight (F, C, KH, KW) and bias (F,); `way` is one of those."""
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    y = array_module(x).empty((N, F, H - KH + 1, W - KW + 1), x.dtype)
    if _is_by_rows(y):
        parts = [(x[:, :, seen], weight, bias, y[:, :, rows]) for rows, seen in _rows(y, x, weight)]
        in_parallel(lambda part: way.forward(*part, with_relu), parts)
    elif way is winograd:
        winograd_deep.forward(x, weight, bias, y, with_relu, _parts(C, x, weight), _parts(F, x, weight))
    else:
        parts = _parts(F, x, weight)
        in_parallel(lambda some: way.forward(x, weight[some], bias[some], y[:, some], with_relu), parts)
    return y


def backward(
    way, dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool
) -> tuple[Array | None, Array, Array]:
    """Return dx (N, C, H, W), or None if it is not wanted, dweight (F, C, KH, KW) and dbias (F,).

    `y` is the output of `forward` if that ended with the ReLU, else None.
    """
    dx = array_module(x).empty(x.shape, x.dtype) if with_dx else None
    F, C = weight.shape[:2]
    if _is_by_rows(dy):
        return dx, *_backward_by_rows(way, dy, y, x, weight, dx)
    if way is winograd:
        return dx, *winograd_deep.backward(dy, y, x, weight, dx, _parts(C, x, weight), _parts(F, x, weight))
    return dx, *_backward_by_channels(way, dy, y, x, weight, dx)


def _backward_by_rows(way, dy, y, x, weight, dx) -> tuple[Array, Array]:
    """Write the gradient of x to dx, if that is not None; return dweight and dbias."""
    xp = array_module(x)
    N, C, _, W = x.shape
    KH = weight.shape[2]
    parts = _rows(dy, x, weight)
    dweights = xp.empty((len(parts), *weight.shape), x.dtype)
    rims = xp.empty((len(parts), N, C, KH - 1, W), x.dtype)

    def work(k: int) -> Array:
        rows, seen = parts[k]
        y_part = None if y is None else y[:, :, rows]
        dx_part = None if dx is None else dx[:, :, seen]
        rim = rims[k] if k else None
        return way.backward(dy[:, :, rows], y_part, x[:, :, seen], weight, dx_part, dweights[k], rim)

    dbias = sum(in_parallel(work, range(len(parts))))
    if dx is not None:
        for (_, seen), rim in zip(parts[1:], rims[1:], strict=True):
            dx[:, :, seen.start : seen.start + KH - 1] += rim
    return dweights.sum(axis=0), dbias


def _backward_by_channels(way, dy, y, x, weight, dx) -> tuple[Array, Array]:
    """Write the gradient of x to dx, if that is not None; return dweight and dbias."""
    dweight = array_module(x).empty(weight.shape, x.dtype)

    def work(some: slice) -> Array:
        dx_part = None if dx is None else dx[:, some]
        return way.backward(dy, y, x[:, some], weight[:, some], dx_part, dweight[:, some])

    dbias, *_ = in_parallel(work, _parts(x.shape[1], x, weight))
    return dweight, dbias


def _is_by_rows(y: Array) -> bool:
    """Return whether parts of y (N, F, OH, OW) are rows: where each has at least F tiles of 4x4 pixels."""
    _, F, OH, OW = y.shape
    return OH * OW >= 16 * F * threads()


def _rows(y: Array, x: Array, weight: Array) -> list[tuple[slice, slice]]:
    """Return the rows of y that each part has, and those of x that it sees."""
    KH = weight.shape[2]
    parts = _parts(y.shape[2], x, weight, multiple=4)
    return [(rows, slice(rows.start, rows.stop + KH - 1)) for rows in parts]


def _parts(size: int, x: Array, weight: Array, multiple: int = 1) -> list[slice]:
    """Return the parts of an axis: one for each core, if that pays. A GPU sees to its own and gets a single part."""
    multiplications = x.size * weight.size // weight.shape[1]
    if array_module(x) is not np or multiplications < WORTH:
        return [slice(0, size)]
    return slices(size, multiple)
