"""Validation during a run: the pixel error on held-out images, which takes a small share of the time.

If all held-out images cost too much, a part of them is measured, and always the same: one window of each of some
images. If only a few windows can be paid for, they are smaller, so that they come from several images: images differ
more than the places in one. What is predicted costs by the pixel, forward only; a step costs STEP_COSTS times as much
by the pixel of its tile. So the number of pixels says what a validation costs, and no clock is needed:

    budget = SHARE * STEP_COSTS * tile**2 * batch * (steps before the first validation)

A run by steps measures the same windows again, on any machine. After the run all held-out images are measured, whole.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minunet.backend import array_module
from minunet.data import Sample, normalisation_of, normalise
from minunet.data.tiles import cut
from minunet.fast.cpu.parallel import side_by_side
from minunet.metrics.evaluation import mean, pixel_errors
from minunet.network.sizes import border, output_size, smallest_input_size
from minunet.network.tiles_at_once import tiles_at_once
from minunet.network.trained import Network
from minunet.prediction.predict import predict_samples, tile_probabilities
from minunet.training.config import Config
from minunet.training.health import quietly

if TYPE_CHECKING:
    from minunet.training.train import Run

SHARE = 0.05  # of the time of a run
STEP_COSTS = 2.5  # forward passes; 2.5 to 4.4 were measured on two cores
LEAST = 2**16  # pixels: about one window
SMALLEST, LARGEST = 128, 512  # pixels: the side of a window
SMALLER = (96, 64, 48, 32)  # where there are fewer windows than FEW
FEW = 4  # windows, or as many as there are images
ALL = "held-out images"


class Part(NamedTuple):
    """The part of the held-out images that is measured during a run."""

    side: int | None  # of the windows; None: all images, whole
    chosen: list[int]  # which images

    def in_words(self, count: int) -> str:
        """Return the part as text; `count` images are held out."""
        images = f"of {count} held-out image{'s' if count > 1 else ''}"
        if self.side is None:
            return f"all {images}"
        return f"windows of at most {self.side} x {self.side} pixels in {len(self.chosen)} {images}"

    def in_short(self, count: int) -> str:
        """Return the part as a few words, for the label of a curve."""
        if self.side is None:
            return ALL
        windows = "windows" if len(self.chosen) > 1 else "a window"
        return f"{windows} in {len(self.chosen)} of {count} held-out image{'s' if count > 1 else ''}"


def prediction_tile(config: Config) -> int | None:
    """Return the tile to predict with: on a GPU the one that it trains with, since that fits into its memory."""
    return config.tile if config.device == "gpu" else None


def part_to_measure(config: Config, history: list[dict], samples: list[Sample]) -> Part:
    """Return the part of the held-out images whose prediction keeps within the budget."""
    steps = next((row["step"] for row in history if "validation_error" in row), len(history))
    budget = max(LEAST, SHARE * STEP_COSTS * config.tile**2 * config.batch * steps)
    margin = border(config.depth)
    if sum((H + margin) * (W + margin) for H, W in (sample.labels.shape for sample in samples)) <= budget:
        return Part(None, list(range(len(samples))))
    largest = LARGEST if config.device == "cpu" else min(LARGEST, output_size(config.tile, config.depth))
    side = max(SMALLEST, math.isqrt(int(budget / len(samples))) - margin)
    side = min(side, largest)
    order = np.random.default_rng([config.seed, len(samples)]).permutation(len(samples))
    chosen: list[int] = []
    for smaller in (side, *SMALLER):
        costs = np.cumsum([math.prod(min(n, smaller) + margin for n in samples[i].labels.shape) for i in order])
        count = max(1, int(np.searchsorted(costs, budget, side="right")))
        if count > len(chosen) and smaller <= side:
            side, chosen = smaller, order[:count].tolist()
        if len(chosen) >= min(FEW, len(samples)):
            break
    return Part(side, sorted(chosen))


def what_is_validated(config: Config, history: list[dict], samples: list[Sample]) -> str:
    """Return, in a few words, on what the validation errors in a history were measured."""
    return part_to_measure(config, history, samples).in_short(len(samples)) if samples else ALL


def validate(run: "Run", samples: list[Sample]) -> dict:
    """Return the mean pixel error on held-out images, or a part of them, and that of the majority class."""
    means = mean(pixel_errors(*predict_part(run, samples), run.threshold))
    return {"validation_error": means["pixel_error"], "majority_error": means["majority_pixel_error"]}


def predict_part(run: "Run", samples: list[Sample]) -> tuple[list[Sample], list[np.ndarray]]:
    """Return the part to measure as samples, and their probabilities (K, H, W)."""
    part, network = part_to_measure(run.config, run.history, samples), run.network
    with quietly():
        if (side := part.side) is None:
            return samples, predict_samples(network, samples, tile=prediction_tile(run.config))
        size = smallest_input_size(side, run.config.depth)
        at_once = tiles_at_once(network.params, size, size)
        pairs = side_by_side(lambda i: window(network, samples[i], side, [run.config.seed, i]), part.chosen, at_once)
    return [sample for sample, _ in pairs], [p for _, p in pairs]


def window(network: Network, sample: Sample, side: int, seed: list[int]) -> tuple[Sample, np.ndarray]:
    """Return a random window of an image as a sample, and its probabilities (K, height, width).

    The network sees what surrounds the window, too. Some pixel of the window is known.
    """
    H, W = sample.labels.shape
    height, width = min(H, side), min(W, side)
    places = np.arange(H * W) if sample.known is None else np.flatnonzero(sample.known)
    y, x = divmod(int(np.random.default_rng(seed).choice(places)), W)
    top, left = min(max(0, y - height // 2), H - height), min(max(0, x - width // 2), W - width)

    depth = len(network.params["encode"])
    margin, sizes = border(depth) // 2, [smallest_input_size(n, depth) for n in (height, width)]
    pixels = cut(sample.image, top - margin, left - margin, *sizes)  # (C, *sizes)
    pixels = normalise(pixels, normalisation_of(sample.image, network.normalisation))
    bias = network.params["head"]["bias"]
    p = tile_probabilities(network.params, array_module(bias).asarray(pixels, dtype=bias.dtype))
    rows, columns = slice(top, top + height), slice(left, left + width)
    known = None if sample.known is None else sample.known[rows, columns]
    image, labels = sample.image[:, rows, columns], sample.labels[rows, columns]
    return Sample(sample.name, image, labels, None, known), p[:, :height, :width]
