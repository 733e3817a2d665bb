"""Train the same U-Net without and with batch normalisation, on the same tiles, and compare them along the way.

    python benchmarks/batch_norm.py --data isbi:DIR --steps 600 --seed 0 --out benchmarks/results/batch_norm_em.csv

The three kinds of run differ in nothing else: He weights, centred He weights, He weights with batch normalisation.
Each takes Adam's steps at its usual rate, one tile a step, with the schedule of `minunet train` and unweighted loss.
The pixel error is that of the held-out images; the network with batch normalisation is folded first, once with its
running averages, and once with statistics averaged over AVERAGED training tiles, which its present weights see. Writes
a row for each look at them, with the processor's seconds of the steps so far.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

from minunet import (
    pixel_error,
    predict,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.course.normalised_unet import (
    first_running,
    fold_unet,
    next_running,
    normalised_unet_backward,
    normalised_unet_forward,
    with_batch_norm,
)
from minunet.data import load_data
from minunet.data.normalisation import fit_normalisation, normalise
from minunet.errors import InputError
from minunet.metrics import majority_pixel_error
from minunet.network.initialise import centre, init_unet
from minunet.training.config import Config, resolve
from minunet.training.optimisers import adam_step, init_moments
from minunet.training.train import draw_tile, learning_rate

AVERAGED = 40  # tiles
KINDS = ("He", "centred He", "batch norm")
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the run, at which the held-out images are looked at


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


def run(kind: str, config: Config, dataset):
    """Train; yield a row for each look at the held-out images."""
    normalisation = fit_normalisation(dataset.train)
    planes = [(normalise(sample.image, normalisation), sample.labels, None) for sample in dataset.train]
    held_out = [(normalise(sample.image, normalisation), sample.labels) for sample in dataset.validation]
    rng = np.random.default_rng(config.seed)
    params = init_unet(rng, len(planes[0][0]), dataset.num_classes, config.base_channels, config.depth)
    if kind == "centred He":
        centre(params)
    normalised = kind == "batch norm"
    if normalised:
        params = with_batch_norm(params)
        running = first_running(params)
    forward, backward = (
        (normalised_unet_forward, normalised_unet_backward) if normalised else (unet_forward, unet_backward)
    )
    moments, seconds = init_moments(params), 0.0
    for step in range(config.steps):
        image, labels, _ = draw_tile(config, planes, step)
        began = time.process_time()
        logits, cache = forward(params, image[None])
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels[None])
        grads = backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
        rate = learning_rate(config, step, step / config.steps)
        adam_step(params, grads, moments, rate, config.momentum, step + 1)
        if normalised:
            running = next_running(running, cache)
        seconds += time.process_time() - began
        if step + 1 in {round(share * config.steps) for share in SHARES}:
            networks = {kind: params}
            if normalised:
                networks = {kind: fold_unet(params, running)}
                averaged = averaged_statistics(
                    params, [draw_tile(config, planes, number)[0] for number in range(AVERAGED)]
                )
                networks["batch norm, averaged"] = fold_unet(params, averaged)
            for name, plain in networks.items():
                errors = [pixel_error(labels, predict(plain, image).argmax(axis=0)) for image, labels in held_out]
                yield {
                    "data": config.data.split(":")[0],
                    "seed": config.seed,
                    "weights": name,
                    "step": step + 1,
                    "seconds": round(seconds, 1),
                    "pixel_error": round(float(np.mean(errors)), 4),
                }


def averaged_statistics(params: dict, images: list[np.ndarray]) -> list[tuple]:
    """Return the mean of the statistics of all these tiles, for each normalisation of the network."""
    running = first_running(params)
    for number, image in enumerate(images, start=1):
        _, cache = normalised_unet_forward(params, image[None])
        running = next_running(running, cache, momentum=1 / number)  # 1/2, 1/3, ...: each tile has the same share
    return running


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
