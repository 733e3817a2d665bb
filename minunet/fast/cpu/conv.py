"""The convolution on a CPU. The files beside this one do the work; Winograd's way along both axes gets its parts here.

On images of many pixels a part is some rows of y, and its core reads all kernels. Backward, two neighbouring parts
have two rows of x in common, and dx is there the sum of what both find. So each part writes its first two rows of dx
to a rim of its own, and the rims are added when all parts are done:

    part 0    ...  rows of dx  | rim |
    part 1                     | rim |  rows of dx  ...

On images of few pixels and many kernels a part is some channels. Forward it is some channels of y, that is some
kernels, and its core reads all of x. Backward it is some channels of x, and its core reads all of dy. All cores would
transform the same x, or the same dy; `winograd_deep.py` transforms it once for all.
"""

from minunet.backend import Array, array_module
from minunet.fast.cpu import by_rows, direct, im2col, memory, winograd, winograd_deep, winograd_rows
from minunet.fast.cpu.parallel import in_parallel, parts_of
from minunet.fast.plan import ONE_PART, Plan


def forward(plan: Plan, x: Array, weight: Array, bias: Array, with_relu: bool) -> Array:
    """Return y (N, F, OH, OW) of x (N, C, H, W), weight (F, C, KH, KW) and bias (F,)."""
    if plan.way == "direct":
        return direct.forward(x, weight, bias, with_relu)
    if plan.way == "im2col":
        return im2col.forward(x, weight, bias, with_relu)
    if plan.way == "winograd_rows":
        return winograd_rows.forward(x, weight, bias, with_relu)
    N, C, H, W = x.shape
    F = len(weight)
    y = by_rows.empty(N, F, H - 2, W - 2, x.dtype, array_module(x))
    if plan.way == "winograd_deep":
        winograd_deep.forward(x, weight, bias, y, with_relu, _parts(plan, C), _parts(plan, F))
        return y

    def some_rows(rows: slice) -> None:
        winograd.forward(x[:, :, _seen(rows)], weight, bias, y[:, :, rows], with_relu)

    def some_channels(channels: slice) -> None:
        winograd.forward(x, weight[channels], bias[channels], y[:, channels], with_relu)

    if plan.split == "channels":
        in_parallel(some_channels, _parts(plan, F))
    else:
        in_parallel(some_rows, _parts(plan, H - 2, multiple=4))  # of 4 rows, as Winograd's tiles
    return y


def backward(
    plan: Plan, dy: Array, y: Array | None, x: Array, weight: Array, with_dx: bool
) -> tuple[Array | None, Array, Array]:
    """Return dx (N, C, H, W), or None without `with_dx`, dweight (F, C, KH, KW) and dbias (F,).

    `y` is the output of `forward` if that ended with the ReLU, else None.
    """
    if plan.way == "direct":
        return direct.backward(dy, y, x, weight, with_dx)
    if plan.way == "im2col":
        return im2col.backward(dy, y, x, weight, with_dx)
    if plan.way == "winograd_rows":
        return winograd_rows.backward(dy, y, x, weight, with_dx)
    F = len(weight)
    N, C, H, W = x.shape
    dx = by_rows.empty(N, C, H, W, x.dtype, array_module(x)) if with_dx else None
    if plan.way == "winograd_deep":
        dweight, dbias = winograd_deep.backward(dy, y, x, weight, dx, _parts(plan, C), _parts(plan, F))
    elif plan.split == "channels":
        dweight, dbias = _backward_by_channels(plan, dy, y, x, weight, dx)
    else:
        dweight, dbias = _backward_by_rows(plan, dy, y, x, weight, dx)
    return dx, dweight, dbias


def _backward_by_rows(
    plan: Plan, dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None
) -> tuple[Array, Array]:
    """Write the gradient of x to dx, unless that is None; return dweight and dbias."""
    xp = array_module(x)
    N, C, _, W = x.shape
    parts = _parts(plan, dy.shape[2], multiple=4)
    dweights = memory.empty((len(parts), *weight.shape), x.dtype, xp)
    rims = memory.empty((len(parts), N, C, 2, W), x.dtype, xp)

    def some_rows(k: int) -> Array:
        rows, seen = parts[k], _seen(parts[k])
        y_part = None if y is None else y[:, :, rows]
        dx_part = None if dx is None else dx[:, :, seen]
        rim = None if k == 0 else rims[k]  # nothing is above the first part
        return winograd.backward(dy[:, :, rows], y_part, x[:, :, seen], weight, dx_part, dweights[k], rim)

    dbias = sum(in_parallel(some_rows, range(len(parts))))
    if dx is not None:
        for rows, rim in zip(parts[1:], rims[1:], strict=True):
            dx[:, :, rows.start : rows.start + 2] += rim
    return dweights.sum(axis=0), dbias


def _backward_by_channels(
    plan: Plan, dy: Array, y: Array | None, x: Array, weight: Array, dx: Array | None
) -> tuple[Array, Array]:
    """Write the gradient of x to dx, unless that is None; return dweight and dbias."""
    dweight = array_module(x).empty(weight.shape, x.dtype)

    def some_channels(channels: slice) -> Array:
        dx_part = None if dx is None else dx[:, channels]
        return winograd.backward(dy, y, x[:, channels], weight[:, channels], dx_part, dweight[:, channels])

    dbias, *_ = in_parallel(some_channels, _parts(plan, x.shape[1]))  # each part finds the same dbias
    return dweight, dbias


def _seen(rows: slice) -> slice:
    """Return the rows of x that some rows of y see."""
    return slice(rows.start, rows.stop + 2)


def _parts(plan: Plan, size: int, multiple: int = 1) -> list[slice]:
    return [slice(0, size)] if plan.split == ONE_PART else parts_of(size, multiple)
