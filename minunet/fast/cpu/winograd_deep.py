"""Winograd's convolution of a deep layer, which has few pixels and many channels: no core repeats another's work.

If each core took some channels of y and all of x, every core would transform all of x. So the work has two steps. In
the first the cores transform x, or dy, once; a deep layer is small enough to keep all of the result. In the second
all cores read that result. A part is some channels, of x or of y:

    forward    step 1, channels of x    V = B x_tile
               step 2, channels of y    U = G weight      M = U V       y_tile = A M
    backward   step 1, channels of y    dM = A' dy_tile
               step 2, channels of x    V = B x_tile      dU = dM V'    dweight = G' dU
                                        U = G weight      dV = U' dM    dx_tile = B' dV

A' is the transpose of A, and so on. The mathematics is that of `winograd.py`.
"""

from typing import Any

from minunet.backend import Array, array_module
from minunet.fast.cpu import memory
from minunet.fast.cpu.parallel import in_parallel
from minunet.fast.cpu.winograd import POINT_1_1, evaluate_kernels, evaluate_kernels_back, matrices
from minunet.fast.cpu.winograd_tiles import count_tiles, evaluate, evaluate_back, interpolate, interpolate_back


def forward(
    x: Array, weight: Array, bias: Array, y: Array, with_relu: bool, parts_of_x: list[slice], parts_of_y: list[slice]
) -> None:
    """Do what `winograd.forward` does; the parts are slices of the channels C of x, and F of y."""
    xp = array_module(x)
    B2, G2, A2 = matrices(xp, x.dtype)
    rows, columns = count_tiles(y)
    V = memory.empty((len(x), 36, x.shape[1], rows * columns), x.dtype, xp)

    def evaluate_part(part: slice) -> None:
        for n, image in enumerate(x):
            evaluate(B2, image[part], rows, columns, out=V[n, :, part])

    def multiply_part(part: slice) -> None:
        U = evaluate_kernels(G2, weight[part])
        for n, image in enumerate(y):
            M = memory.product(U, V[n])  # (F, C) @ (C, tiles) -> (F, tiles), 36 times
            M[POINT_1_1] += bias[part, None]
            interpolate(A2, M, image[part], rows, columns, with_relu)

    in_parallel(evaluate_part, parts_of_x)
    in_parallel(multiply_part, parts_of_y)


def backward(
    dy: Array,
    y: Array | None,
    x: Array,
    weight: Array,
    dx: Array | None,
    parts_of_x: list[slice],
    parts_of_y: list[slice],
) -> tuple[Array, Array]:
    """Write the gradient of x to dx, unless that is None; return dweight and dbias.

    The other arguments are those of `winograd.backward`; the parts are slices of the channels C of x, and F of y.
    """
    xp = array_module(x)
    B2, G2, A2 = matrices(xp, x.dtype)
    rows, columns = count_tiles(dy)
    dM = memory.empty((len(x), 36, len(weight), rows * columns), x.dtype, xp)
    dweight = xp.empty(weight.shape, x.dtype)

    def interpolate_part(part: slice) -> None:
        for n, image in enumerate(dy):
            gate = None if y is None else y[n, part]
            interpolate_back(A2, image[part], gate, rows, columns, out=dM[n, :, part])

    def multiply_part(part: slice) -> None:
        U = evaluate_kernels(G2, weight[:, part])  # (36, F, C of the part)
        dU: Any = None  # the same shape, summed over all images
        for n, image in enumerate(x):
            V = evaluate(B2, image[part], rows, columns)  # (36, C, tiles)
            product = memory.product(dM[n], V.transpose(0, 2, 1))  # (F, tiles) @ (tiles, C) -> (F, C), 36 times
            dU = product if dU is None else xp.add(dU, product, out=dU)
            if dx is not None:
                dV = memory.product(U.transpose(0, 2, 1), dM[n])  # (C, F) @ (F, tiles) -> (C, tiles), 36 times
                evaluate_back(B2, dV, dx[n, part], dx[n, part, :2], rows, columns, is_first=True)
        dweight[:, part] = evaluate_kernels_back(G2, dU)

    in_parallel(interpolate_part, parts_of_y)
    in_parallel(multiply_part, parts_of_x)
    return dweight, dM[:, POINT_1_1].sum(axis=(0, 2))
