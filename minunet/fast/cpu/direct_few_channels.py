"""The convolution of `direct.py` for few channels in, as in the first layer: the rows of the kernel become channels.

    x'[n, (kh c), h, w] = x[n, c, h + kh, w]        weight'[f, (kh c), 1, kw] = weight[f, c, kh, kw]

With few channels in, x is much smaller than y. To copy it KH times costs less than it saves: `direct.py` writes, reads
and adds KH blocks of the size of y.
"""

import numpy as np

from minunet.backend import Array
from minunet.fast.cpu import direct


def forward(x: Array, weight: Array, bias: Array, y: Array, with_relu: bool = False) -> None:
    """Do what `direct.forward` does."""
    direct.forward(_rows_as_channels(x, weight.shape[2]), _with_rows_as_channels(weight), bias, y, with_relu)


def backward(
    dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None, dweight: Array, rim: Array | None = None
) -> Array:
    """Do what `direct.backward` does."""
    F, C, KH, KW = weight.shape
    taller = _with_rows_as_channels(weight)
    dtaller = np.empty(taller.shape, x.dtype)
    dbias = direct.backward(dy, y, _rows_as_channels(x, KH), taller, None, dtaller)
    dweight[:] = dtaller.reshape(F, KH, C, KW).transpose(0, 2, 1, 3)
    if dx is not None:
        framed_dy, inside = direct.frame(dy, KH, KW)
        inside[:] = direct.through_relu(dy, y)
        direct.backward_to_x(framed_dy, weight, dx, rim)
    return dbias


def _rows_as_channels(x: Array, KH: int) -> Array:
    """Return x', (N, KH C, OH, W), of x (N, C, H, W)."""
    moved = np.lib.stride_tricks.sliding_window_view(x, KH, axis=2).transpose(0, 4, 1, 2, 3)  # (N, KH, C, OH, W)
    N, _, C, OH, W = moved.shape
    return moved.reshape(N, KH * C, OH, W)


def _with_rows_as_channels(weight: Array) -> Array:
    """Return weight', (F, KH C, 1, KW), of weight (F, C, KH, KW)."""
    F, C, KH, KW = weight.shape
    return weight.transpose(0, 2, 1, 3).reshape(F, KH * C, 1, KW)
