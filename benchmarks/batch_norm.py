"""Train the same U-Net without and with batch normalisation, on the same tiles, and compare them along the way.

    python benchmarks/batch_norm.py --data isbi:DIR --steps 600 --seed 0 --out benchmarks/results/batch_norm_em.csv

The three kinds of run differ in nothing else: He weights, centred He weights, He weights with batch normalisation.
Each takes Adam's steps at its usual rate, one tile a step, with the schedule of `minunet train` and unweighted loss.
The pixel error is that of the held-out images; the network with batch normalisation is folded first, once with its
running averages, and once with statistics averaged over AVERAGED training tiles, which its present weights see. Writes
a row for each look at them, with the processor's seconds of the steps so far.

In one thing this is not `minunet train --norm batch`: the running averages begin at mean 0 and variance 1, and move by
MOMENTUM in each step, as PyTorch's do.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minunet import (
    flatten,
    pixel_error,
    predict,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.backend import Params
from minunet.data import Dataset, load_data
from minunet.data.normalisation import fit_normalisation, normalise
from minunet.errors import InputError
from minunet.metrics import majority_pixel_error
from minunet.network.initialise import centre, init_unet
from minunet.network.running_averages import first_running, fold_unet, statistics
from minunet.training.config import Config, resolve
from minunet.training.optimisers import adam_step, init_moments
from minunet.training.train import draw_tile, learning_rate

AVERAGED = 40  # tiles
MOMENTUM = 0.1  # share of a step's statistics in the running averages
KINDS = ("He", "centred He", "batch norm")
LOOKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the run, at which the held-out images are looked at


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--out", type=Path, help="a CSV file; its rows are added to those that it has")
    options = parser.parse_args()
    try:
        dataset = load_data(options.data, options.seed)
    except InputError as error:
        print(f"skipped: {error}")
        return 0
    config = resolve({"data": options.data, "steps": options.steps, "seed": options.seed, "weights": "none"})
    majority = np.mean([majority_pixel_error(sample.labels) for sample in dataset.validation])
    print(f"{options.data}: {options.steps} steps, seed {options.seed}; majority class {majority:.3f}", flush=True)
    for kind in options.kinds:
        for row in run(kind, config, dataset):
            write(row, options.out)
    return 0


def run(kind: str, config: Config, dataset: Dataset) -> Iterator[dict]:
    """Train; yield a row for each look at the held-out images."""
    normalisation = fit_normalisation(dataset.train)
    planes = [(normalise(sample.image, normalisation), sample.labels, None) for sample in dataset.train]
    held_out = [(normalise(sample.image, normalisation), sample.labels) for sample in dataset.validation]
    rng = np.random.default_rng(config.seed)
    norm = "batch" if kind == "batch norm" else None
    params = init_unet(rng, len(planes[0][0]), dataset.num_classes, config.base_channels, config.depth, norm=norm)
    if kind == "centred He":
        centre(params)
    running = first_running(params)  # empty without batch normalisation
    moments, seconds = init_moments(params), 0.0
    looks = {round(share * config.steps) for share in LOOKS}
    for step in range(1, config.steps + 1):
        tile = draw_tile(config, planes, step - 1)
        began = time.process_time()
        train_step(params, running, moments, tile, step, config)
        seconds += time.process_time() - began
        if step in looks:
            for name, plain in networks_that_predict(kind, params, running, config, planes).items():
                yield {
                    "data": config.data.split(":")[0],
                    "seed": config.seed,
                    "weights": name,
                    "step": step,
                    "seconds": round(seconds, 1),
                    "pixel_error": round(mean_pixel_error(plain, held_out), 4),
                }


def train_step(params: Params, running: Params, moments: dict, tile: tuple, step: int, config: Config) -> None:
    """Change the parameters and the running averages in place; `step` counts from 1."""
    image, labels, _ = tile
    logits, cache = unet_forward(params, image[None])
    _, loss_cache = softmax_cross_entropy_forward(logits, labels[None])
    grads = unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
    adam_step(params, grads, moments, learning_rate(config, step - 1, (step - 1) / config.steps), config.momentum, step)
    move(running, statistics(cache), MOMENTUM)


def networks_that_predict(kind: str, params: Params, running: Params, config: Config, planes: list) -> dict:
    """Return {name: parameters of a plain U-Net}: one, or two of the network with batch normalisation."""
    if not running:
        return {kind: params}
    tiles = [draw_tile(config, planes, number)[0] for number in range(AVERAGED)]
    return {
        kind: fold_unet(params, running),
        f"{kind}, averaged": fold_unet(params, averaged_statistics(params, tiles)),
    }


def averaged_statistics(params: Params, images: list[np.ndarray]) -> Params:
    """Return the mean of the statistics of these tiles, in the structure of the running averages."""
    running = first_running(params)
    for number, image in enumerate(images, start=1):
        _, cache = unet_forward(params, image[None])
        move(running, statistics(cache), 1 / number)  # 1, 1/2, 1/3, ...: each tile has the same share
    return running


def move(running: Params, now: Params, share: float) -> None:
    """Move the running averages, in place, by this share of the way to the statistics of now."""
    for average, value in zip(flatten(running).values(), flatten(now).values(), strict=True):
        average += share * (value - average)


def mean_pixel_error(params: Params, held_out: list) -> float:
    return float(np.mean([pixel_error(labels, predict(params, image).argmax(axis=0)) for image, labels in held_out]))


def write(row: dict, out: Path | None) -> None:
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    if out is not None:
        is_new = not out.exists()
        with out.open("a", newline="") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)


if __name__ == "__main__":
    sys.exit(main())
