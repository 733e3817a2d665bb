"""Time training steps without and with batch normalisation, in turn, on the same tiles.

    OPENBLAS_NUM_THREADS=1 python benchmarks/batch_norm_step.py --steps 25

The network is that of `minunet train`. In turn, since other programs on the machine then slow down both alike.
"""

import argparse
import time

import numpy as np

from minunet.data import load_data, loss_weights, normalise
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.training.config import resolve
from minunet.training.train import batch_step, draw_tile, start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=25)
    steps = parser.parse_args().steps
    keep_freed_memory()
    dataset = load_data("synthetic")
    runs = {norm: start(resolve({"norm": norm}), dataset) for norm in ("none", "batch")}
    config, normalisation = runs["none"].config, runs["none"].normalisation
    samples = dataset.train[:2]
    weights = loss_weights(samples, config.weights)
    images = [normalise(sample.image, normalisation) for sample in samples]
    planes = [(image, s.labels, w) for image, s, w in zip(images, samples, weights, strict=True)]
    seconds: dict[str, list[float]] = {norm: [] for norm in runs}
    for step in range(steps):
        tiles = [draw_tile(config, planes, number) for number in (2 * step, 2 * step + 1)]  # as `minunet train` does
        for norm, run in runs.items():
            began = time.perf_counter()
            batch_step(run, tiles, step, rate=0.001)
            seconds[norm].append(time.perf_counter() - began)
    for norm, times in seconds.items():
        print(f"{norm:<6} least {min(times):.3f} s, median {np.median(times):.3f} s")
    ratios = np.array(seconds["batch"]) / seconds["none"]
    print(f"with batch normalisation a step takes {np.median(ratios):.2f} times as long, the median of {steps} pairs")


if __name__ == "__main__":
    main()
