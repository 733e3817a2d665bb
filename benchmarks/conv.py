"""Time single 3x3 convolutions, forward and backward: the readable way and the fast way.

    python benchmarks/conv.py

In turn, float32, batch of one; medians of 5 rounds, in GFLOP/s of the direct convolution. PyTorch stands beside the
whole step in step.py: in one process, its threads and NumPy's would be in each other's way.
"""

import statistics
import time

import numpy as np

from minunet.fast import conv as fast
from minunet.layers import conv as readable

LAYERS = [  # C, F, size of x: of base 16 at tile 220, of base 32 at tile 316, and of the full network at 572
    (16, 16, 218),
    (32, 16, 140),
    (32, 32, 314),
    (64, 64, 154),
    (64, 64, 570),
    (128, 128, 282),
    (256, 256, 138),
    (512, 512, 66),
    (1024, 512, 56),
    (1024, 1024, 30),
]
ROUNDS = 5


def of(module, x, weight, bias, dy) -> dict:
    """Return the two passes of a way as functions."""
    _, cache = module.conv2d_forward(x, weight, bias)
    return {
        "forward": lambda: module.conv2d_forward(x, weight, bias),
        "backward": lambda: module.conv2d_backward(dy, cache),
    }


def main() -> None:
    rng = np.random.default_rng(0)
    names = ("readable", "fast")
    print(f"{'layer':<20}" + "".join(f"{name + ' ' + way:>20}" for way in ("forward", "backward") for name in names))
    for C, F, size in LAYERS:
        shapes = (1, C, size, size), (F, C, 3, 3), (F,), (1, F, size - 2, size - 2)
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        ways = {"readable": of(readable, *arrays), "fast": of(fast, *arrays)}
        flops = 2 * 9 * C * F * (size - 2) ** 2
        cells = []
        for passes, name in ((1, "forward"), (2, "backward")):
            times = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, functions in ways.items():
                    began = time.perf_counter()
                    functions[name]()
                    times[way].append(time.perf_counter() - began)
            cells += [passes * flops / statistics.median(times[way]) / 1e9 for way in names]
        print(f"{f'{C} -> {F} at {size}':<20}" + "".join(f"{cell:>20.0f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
