"""What the 3x3 convolutions of a training step would take on an H200 in TF32, by Winograd and on tensor cores: a model.

    python benchmarks/gpu_model.py [INPUT [BASE_CHANNELS [DEPTH]]]

Nothing is measured. Each kernel takes as long as its bytes or its multiplications do, whichever is longer, and GAP.
Bytes: every array that it reads or writes, once. Multiplications: those of whole blocks, tiles beyond the edge and
channels that fill up a block included; blocks are dealt out to the multiprocessors, and the one with the most of them
counts.
"""

import functools
import math
import sys

from minunet.fast.cuda.conv_tf32 import C_TILE, CHUNK, COLUMNS, F_TILE, FEW_ROWS, ROWS, count_slabs
from minunet.network.summary import layer_rows

MEMORY = 4.3e12  # bytes a second, as copies of large arrays reach
PRODUCTS = 400e12  # FLOP a second of cuBLAS in TF32
RATES = 100e12, 200e12, 300e12  # of the kernels of conv_tf32.cu: what they will reach nobody knows
GAP = 3e-6  # seconds from one kernel to the next
MULTIPROCESSORS = 132


def kernel(numbers: float, flop: float = 0, rate: float = PRODUCTS) -> float:
    """Return the seconds of a kernel that reads and writes so many numbers."""
    return max(4 * numbers / MEMORY, flop / rate) + GAP


def by_winograd(C: int, F: int, H: int, W: int, with_dx: bool) -> tuple[list[float], list[float]]:
    """Return the seconds of each kernel forward and backward, for y (F, H, W)."""
    tiles = math.ceil(H / 2) * math.ceil(W / 2)
    x, y, V, M, weight, U = C * (H + 2) * (W + 2), F * H * W, 16 * C * tiles, 16 * F * tiles, 9 * F * C, 16 * F * C
    product = kernel(V + M + U, 2 * U * tiles)
    forward = [kernel(weight + U), kernel(x + V), product, kernel(M + y)]
    backward = [kernel(x + V), kernel(2 * y + M), product, kernel(M / 16), kernel(U + weight)]
    of_dx = [kernel(weight + U), product, kernel(V + x)]
    return forward, backward + of_dx * with_dx


def on_tensor_cores(rate: float, C: int, F: int, H: int, W: int, with_dx: bool) -> tuple[list[float], list[float]]:
    """Return the same for `conv_tf32`."""
    x, y, weight = C * (H + 2) * (W + 2), F * H * W, 9 * F * C
    forward = [kernel(2 * weight), convolve(rate, C, F, H, W)]
    tiles, blocks = cover(H, FEW_ROWS) * cover(W, COLUMNS), cover(F, F_TILE) * cover(C, C_TILE)
    slabs = count_slabs(1, C, F, H, W)
    of_a_block = cover(tiles, slabs) * FEW_ROWS * COLUMNS * 18 * F_TILE * C_TILE
    dweight = kernel(x + y + slabs * weight, busiest(blocks * slabs) * of_a_block, rate / MULTIPROCESSORS)
    backward = [kernel(3 * y), dweight, kernel(y)] + [kernel((slabs + 1) * weight)] * (slabs > 1)
    of_dx = [kernel(2 * weight), convolve(rate, F, C, H + 2, W + 2)]
    return forward, backward + of_dx * with_dx


def convolve(rate: float, C: int, F: int, H: int, W: int) -> float:
    blocks = cover(F, F_TILE) * cover(H, ROWS) * cover(W, COLUMNS)
    of_a_block = 18 * F_TILE * ROWS * COLUMNS * cover(C, CHUNK) * CHUNK
    numbers = C * (H + 2) * (W + 2) + F * H * W + 9 * F * C
    return kernel(numbers, busiest(blocks) * of_a_block, rate / MULTIPROCESSORS)


def busiest(blocks: int) -> int:
    """Return how many blocks the multiprocessor with the most of them has."""
    return math.ceil(blocks / MULTIPROCESSORS)


def cover(size: int, tile: int) -> int:
    return math.ceil(size / tile)


def main(side: int = 572, base_channels: int = 64, depth: int = 4) -> None:
    rows = [row for row in layer_rows(side, side, base_channels=base_channels, depth=depth) if row.is_3x3]
    print("| 3x3 convolutions | forward, launches | ms | backward, launches | ms |\n|---|---|---|---|---|")
    ways = {f"tensor cores at {rate / 1e12:.0f} TFLOP/s": functools.partial(on_tensor_cores, rate) for rate in RATES}
    for name, way in {"F(2x2, 3x3)": by_winograd, **ways}.items():
        sizes = [(row.in_channels, row.out_channels, row.height, row.width) for row in rows]
        layers = [way(*size, with_dx=size != sizes[0]) for size in sizes]  # the first layer needs no dx
        cells = []
        for passes in zip(*layers, strict=True):
            times = [time for kernels in passes for time in kernels]
            cells += [str(len(times)), f"{1e3 * sum(times):.1f}"]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
