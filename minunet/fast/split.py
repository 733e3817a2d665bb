"""A convolution in parts, one for each core: what `bands.py` and `winograd.py` do to an image, done to each part.

Forward, a part is some rows of y, for which it reads all kernels; or, where there are more kernels than tiles of 4x4
pixels to an image, some of the kernels, for which it reads all of x. Backward, a part is some channels of x: dx and
dweight come apart along them, so that no two parts add to one place. Each reads all of dy.
"""

import numpy as np

from minunet.backend import Array, array_module
from minunet.fast.parallel import in_parallel, slices

WORTH = 5 * 10**7  # multiplications: with fewer, some milliseconds, threads wait for each other longer than they work


def forward(way, x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Return y (N, F, OH, OW) of x (N, C, H, W), weight (F, C, KH, KW) and bias (F,); `way` is bands or winograd."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = array_module(x).empty((N, F, OH, OW), x.dtype)
    if OH * OW >= 16 * F:
        rows = _parts(OH, x, weight, multiple=4)
        parts = [(x[:, :, part.start : part.stop + KH - 1], weight, bias, y[:, :, part]) for part in rows]
    else:
        parts = [(x, weight[part], bias[part], y[:, part]) for part in _parts(F, x, weight)]
    in_parallel(lambda part: way.forward(*part, with_relu), parts)
    return y


def backward(way, dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool) -> tuple[Array, Array, Array]:
    """Return dx (N, C, H, W), dweight (F, C, KH, KW) and dbias (F,).

    `y` is the output of `forward` if that ended with the ReLU, else None. Without dx, which then is None, a part is
    some of the kernels.
    """
    xp = array_module(x)
    dweight = xp.empty(weight.shape, x.dtype)
    if with_dx:
        dx = xp.empty(x.shape, x.dtype)
        parts = [
            (dy, y, x[:, part], weight[:, part], dx[:, part], dweight[:, part])
            for part in _parts(x.shape[1], x, weight)
        ]
        dbias, *_ = in_parallel(lambda part: way.backward(*part), parts)
        return dx, dweight, dbias
    parts = [
        (dy[:, part], None if y is None else y[:, part], x, weight[part], None, dweight[part])
        for part in _parts(len(weight), x, weight)
    ]
    return None, dweight, xp.concatenate(in_parallel(lambda part: way.backward(*part), parts))


def _parts(size: int, x: Array, weight: Array, multiple: int = 1) -> list[slice]:
    """Return the parts of an axis: one for each core, if that pays. A GPU sees to its own and gets a single part."""
    multiplications = x.size * weight.size // weight.shape[1]
    if array_module(x) is not np or multiplications < WORTH:
        return [slice(0, size)]
    return slices(size, multiple)
