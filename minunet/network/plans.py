"""How each convolution of a U-Net is computed on this machine's CPU, before anything runs."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minunet.backend import Array
from minunet.fast.plan import Plan, plan
from minunet.network.summary import LayerRow, layer_rows


def plans(height: int, width: int, **network: Any) -> Iterator[tuple[LayerRow, Plan, Plan]]:
    """Yield each convolution of a network, and its plans forward and backward."""
    for row in layer_rows(height, width, **network):
        if row.kind == "up-conv 2x2":
            continue
        kernel = 3 if row.is_3x3 else 1
        x = _shape_only(1, row.in_channels, row.height + kernel - 1, row.width + kernel - 1)
        weight = _shape_only(row.out_channels, row.in_channels, kernel, kernel)
        yield row, plan(x, weight, backward=False), plan(x, weight, backward=True)


def _shape_only(*shape: int) -> Array:
    """Return an array of this shape that takes no memory: all of its elements are the same one."""
    return np.broadcast_to(np.float32(0), shape)
