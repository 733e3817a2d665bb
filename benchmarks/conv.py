"""Time single 3x3 convolutions, forward and backward: the readable way, the direct one, and Winograd's two.

    python benchmarks/conv.py

The ways take turns, in float32, with a batch of one; the numbers are medians of 5 rounds, in GFLOP/s of the direct
convolution. A star marks the way that minunet/fast/plan.py takes. For a comparison with PyTorch see `minunet bench`: in
one process, its threads and NumPy's would slow each other down.
"""

import os
import statistics
import time

import numpy as np

from minunet.fast.conv import conv2d_backward, conv2d_forward
from minunet.fast.plan import plan
from minunet.layers import Conv2dCache

LAYERS = [  # C, F, size of x: of base 16 at tile 220, of base 32 at tile 316, and of the full network at 572
    (16, 16, 218),
    (32, 16, 140),
    (32, 32, 106),
    (64, 32, 140),
    (32, 32, 314),
    (64, 64, 154),
    (128, 128, 50),
    (256, 256, 22),
    (64, 64, 570),
    (128, 128, 282),
    (256, 256, 138),
    (512, 512, 66),
    (1024, 512, 56),
    (1024, 1024, 30),
]
ROUNDS = 5
WAYS = ("readable", "direct", "im2col", "winograd_rows", "winograd")  # of MINUNET_CONVOLUTION


def seconds(way: str, run, *args) -> float:
    """Return how many seconds run(*args) takes with MINUNET_CONVOLUTION set to `way`."""
    os.environ["MINUNET_CONVOLUTION"] = way
    time.sleep(0.1)  # BLAS's threads, which the readable way uses, stay awake for a while
    run(*args)
    began = time.perf_counter()
    run(*args)
    return time.perf_counter() - began


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{'':<20}{'forward':>60}{'backward':>60}")
    print(f"{'layer':<20}" + "".join(f"{name:>15}" for name in 2 * WAYS))
    for C, F, size in LAYERS:
        shapes = (1, C, size, size), (F, C, 3, 3), (F,), (1, F, size - 2, size - 2)
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        x, weight, bias, dy = arrays
        passes = {
            "forward": (conv2d_forward, x, weight, bias),
            "backward": (conv2d_backward, dy, Conv2dCache(x, weight)),
        }
        flops = 2 * 9 * C * F * (size - 2) ** 2
        cells = []
        for count, name in ((1, "forward"), (2, "backward")):
            times = {way: [] for way in WAYS}
            for _ in range(ROUNDS):
                for way in WAYS:
                    times[way].append(seconds(way, *passes[name]))
            os.environ["MINUNET_CONVOLUTION"] = "auto"
            taken = plan(x, weight, backward=name == "backward").way
            for way in WAYS:
                mark = "*" if taken.removesuffix("_deep") == way else ""  # winograd_deep is Winograd's way, too
                cells.append(f"{mark}{count * flops / statistics.median(times[way]) / 1e9:.0f}")
        print(f"{f'{C} -> {F} at {size}':<20}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
