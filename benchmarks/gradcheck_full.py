"""Check the gradient of the full-size U-Net (31,030,658 parameters, float64) along random directions.

python benchmarks/gradcheck_full.py          a 572x572 image; about 8 GB of memory
python benchmarks/gradcheck_full.py 188      the smallest image that fits
"""

import functools
import resource
import sys
import time

import numpy as np

from minunet import gradcheck, init_unet, unet_backward, unet_forward


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 572
    rng = np.random.default_rng(0)
    params = init_unet(rng, dtype=np.float64)
    x = rng.standard_normal((1, 1, size, size))
    began = time.perf_counter()
    report = gradcheck(unet_forward, functools.partial(unet_backward, with_dx=True), (params, x))
    print(report)
    seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"input {size}x{size}, {seconds:.0f} s, peak {peak:.1f} GB")
    sys.exit(not report.ok)


if __name__ == "__main__":
    main()
