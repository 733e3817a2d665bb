"""Time the prediction of one image, from the host's memory and back to it.

python benchmarks/latency.py --device gpu
"""

import argparse
import statistics
import time

import numpy as np

from minunet import init_unet, predict, to_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--base-channels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    params = to_device(init_unet(rng, base_channels=options.base_channels), options.device)
    image = rng.standard_normal((options.size, options.size)).astype(np.float32)
    predict(params, image)  # compiles the kernels, and takes memory
    seconds = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        predict(params, image)  # the result lies on the host, so it has waited
        seconds.append(time.perf_counter() - began)
    median, fastest = (f"{1e3 * value:.1f} ms" for value in (statistics.median(seconds), min(seconds)))
    size = f"{options.size}x{options.size}, {options.base_channels} base channels, {options.device}"
    print(f"one image {size}: median {median}, fastest {fastest} of {options.rounds}")


if __name__ == "__main__":
    main()
