"""Time the prediction of one image, from the host's memory and back to it, and how much of that is not the network.

python benchmarks/latency.py --device gpu
"""

import argparse
import statistics
import time
from unittest import mock

import numpy as np

from minunet import init_unet, predict, to_device
from minunet.network.sizes import output_size


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
    size = f"{options.size}x{options.size}, {options.base_channels} base channels, {options.device}"
    print(f"one image {size}")
    for scope, normalisation in ("image", "image"), ("dataset", {"mean": [0.0], "std": [1.0]}):
        print(f"  normalised by the numbers of the {scope}:", timed(options.rounds, params, image, normalisation))
        with mock.patch("minunet.prediction.predict.tile_probabilities", no_network):
            print("    without the network:", timed(options.rounds, params, image, normalisation))


def timed(rounds: int, params: dict, image: np.ndarray, normalisation: dict | str) -> str:
    predict(params, image, normalisation=normalisation)  # compiles the kernels, and takes memory
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        predict(params, image, normalisation=normalisation)  # the result lies on the host, so it has waited
        seconds.append(time.perf_counter() - began)
    return f"median {1e3 * statistics.median(seconds):.1f} ms, fastest {1e3 * min(seconds):.1f} of {rounds}"


def no_network(params: dict, x: np.ndarray) -> np.ndarray:
    """Return zeros in place of the probabilities of a tile."""
    depth, classes = len(params["encode"]), len(params["head"]["bias"])
    return np.zeros((classes, *(output_size(n, depth) for n in x.shape[1:])), x.dtype)


if __name__ == "__main__":
    main()
