"""What TF32 costs in accuracy: a 3x3 layer done directly, and by Winograd with tiles of 2x2 and of 4x4 pixels.

    python benchmarks/tf32.py

It runs on a CPU: the factors of each product are rounded to 10 bits after the point, as in TF32, and multiplied in
float32. The error is that of y against float64: its root mean square as a share of that of y, and its largest value as
a share of the largest of y.
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minunet.fast.cpu import winograd

LARGE_TILES = winograd.B, winograd.G, winograd.A
SMALL_TILES = (  # the points 0, 1, -1 and infinity
    np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]),
    np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
    np.array([[1, 1, 1, 0], [0, 1, -1, 1]]),
)


def direct(x, weight, round_off):
    """Return y, (F, H - 2, W - 2), of x (C, H, W)."""
    C, H, W = x.shape
    columns = sliding_window_view(x, (3, 3), (1, 2)).transpose(0, 3, 4, 1, 2).reshape(9 * C, -1)
    return (round_off(weight.reshape(-1, 9 * C)) @ round_off(columns)).reshape(-1, H - 2, W - 2)


def by_tiles(matrices, x, weight, round_off):
    """Return the same by Winograd's convolution; H - 2 and W - 2 must be multiples of the side of a tile."""
    B, G, A = (matrix.astype(x.dtype) for matrix in matrices)
    tile, side = A.shape
    tiles = sliding_window_view(x, (side, side), (1, 2))[:, ::tile, ::tile]  # (C, rows, columns, side, side)
    C, rows, columns = tiles.shape[:3]
    V = (B @ tiles @ B.T).transpose(3, 4, 0, 1, 2).reshape(side**2, C, -1)
    U = (G @ weight @ G.T).transpose(2, 3, 0, 1).reshape(side**2, -1, C)
    M = round_off(U) @ round_off(V)  # (points, F, tiles)
    M = M.reshape(side, side, -1, rows, columns).transpose(2, 3, 4, 0, 1)
    return (A @ M @ A.T).transpose(0, 1, 3, 2, 4).reshape(len(weight), rows * tile, columns * tile)


def in_full(x):
    return x


def in_tf32(x):
    """Return float32 numbers with 10 bits after the point."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)


WAYS = {
    "direct": direct,
    "F(2x2, 3x3)": functools.partial(by_tiles, SMALL_TILES),
    "F(4x4, 3x3)": functools.partial(by_tiles, LARGE_TILES),
}


def main() -> None:
    print("| channels | way | float32: rms | largest | TF32: rms | largest |\n|---|---|---|---|---|---|")
    for C in (64, 256, 1024):
        rng = np.random.default_rng(0)
        x = np.maximum(rng.standard_normal((C, 34, 42)), 0)  # as after a ReLU
        weight = rng.standard_normal((64, C, 3, 3)) * np.sqrt(2 / (9 * C))
        y = direct(x, weight, in_full)
        for name, way in WAYS.items():
            cells = [cell for round_off in (in_full, in_tf32) for cell in errors(way, x, weight, round_off, y)]
            print(f"| {C} | {name} | {' | '.join(cells)} |")


def errors(way, x, weight, round_off, y) -> list[str]:
    error = way(x.astype(np.float32), weight.astype(np.float32), round_off) - y
    return [f"{np.sqrt(np.mean(error**2) / np.mean(y**2)):.1e}", f"{abs(error).max() / abs(y).max():.1e}"]


if __name__ == "__main__":
    main()
