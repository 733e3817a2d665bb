"""Training: one tile, one step, by stochastic gradient descent with momentum.

What the paper says is kept where it pays in minutes rather than hours: batches of one tile, He initialisation,
weight maps where instances are known. What it does not say, or says for ten hours on a GPU, is chosen here:

optimiser       gradient descent with momentum, as the paper's; or Adam (see `optimisers.py`), as `minunet train` has it
learning rate   0.03, or Adam's 0.001; warmed up over 50 steps, then a half cosine down to 0 at the end of the run
momentum        0.9 instead of 0.99, which needs far more steps than a few minutes hold
augmentation    symmetries: the tile's random place, and the eight symmetries of the square
                elastic: any angle, elastic deformation and other grey values too; see `data/augment.py`

`recipes.py` has the paper's settings. The tile of step n is drawn from default_rng([seed, n]) and its dropout from
default_rng([seed, n, 1]), so a step never depends on how the run came there: a resumed run equals an uninterrupted one,
bit for bit. (With a time limit in place of a number of steps the learning rate follows the clock, and no two runs are
equal.)
"""

import contextlib
import math
import time
from typing import NamedTuple

import numpy as np

from minunet.backend import Array, allow_tf32_if_asked, array_module, to_device
from minunet.data import (
    AUGMENTATIONS,
    Dataset,
    Sample,
    augmented_tile,
    check_classes,
    fit_normalisation,
    loss_weights,
    normalisation_of,
    normalise,
    prefetch,
)
from minunet.errors import InputError
from minunet.fast.layers import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.metrics.evaluation import mean, pixel_errors
from minunet.network.initialise import centre
from minunet.network.sizes import output_size
from minunet.network.unet import init_unet, unet_backward, unet_forward
from minunet.prediction.predict import predict_samples
from minunet.training.config import Config, check
from minunet.training.optimisers import adam_step, init_moments, init_velocity, sgd_step

WARM_UP = 50  # steps
VALIDATIONS = 10  # over a whole run


class Run(NamedTuple):
    """The state of a run; the arrays change in place, step by step."""

    config: Config
    params: dict
    velocity: dict  # the optimiser's state
    normalisation: dict  # empty if each image has its own
    history: list[dict]  # a row a step: step, seconds, wait, learning_rate, loss and, at times, validation_error


def start(config: Config, dataset: Dataset) -> Run:
    """Return a fresh run: initialised parameters, velocities at rest, and the training images' normalisation."""
    check(config)
    check_classes(dataset)
    rng = np.random.default_rng(config.seed)
    channels = dataset.train[0].image.shape[0]
    params = init_unet(rng, channels, dataset.num_classes, config.base_channels, config.depth)
    if config.init == "centred":
        centre(params)
    params = to_device(params, config.device)
    allow_tf32_if_asked(params["head"]["bias"])
    normalisation = fit_normalisation(dataset.train) if config.normalisation == "dataset" else {}
    velocity = init_moments(params) if config.optimiser == "adam" else init_velocity(params)
    return Run(config, params, velocity, normalisation, [])


def train_steps(run: Run, dataset: Dataset, weights: list[np.ndarray | None] | None = None):
    """Train to the end of the run; yield after every step, so that the caller may show, save or stop.

    `weights` are the loss weights of each training image; by default `loss_weights` works them out.

    Yields
    ------
    row : dict
        The step's row of the history: step, seconds since the start, wait (seconds that the step waited for its
        tile), learning_rate, loss and, VALIDATIONS times in a run, validation_error and majority_error, the pixel
        errors on the held-out images.
    """
    config, history = run.config, run.history
    images = [sample.image for sample in dataset.train]
    images = [normalise(image, normalisation_of(image, run.normalisation)) for image in images]
    labels = [sample.labels for sample in dataset.train]
    weights = weights or loss_weights(dataset.train, config.weights)
    planes = to_device(list(zip(images, labels, weights, strict=True)), config.device)
    began = time.monotonic() - (history[-1]["seconds"] if history else 0.0)
    with contextlib.closing(prefetch(lambda step: draw_tile(config, planes, step), first=len(history))) as tiles:
        while (done := progress(config, history)) < 1:
            step = len(history)
            rate = learning_rate(config, step, done)
            tile, wait = next(tiles)
            loss = float(train_step(run, tile, step, rate))  # on a GPU, the one place where the host waits for it
            if not math.isfinite(loss):
                remedy = f"try --learning-rate {config.learning_rate / 3:.2g}"
                raise InputError(f"the loss must stay finite, got {loss} at step {step + 1}; {remedy}")
            seconds = time.monotonic() - began
            history.append({"step": step + 1, "seconds": seconds, "wait": wait, "learning_rate": rate, "loss": loss})
            now = progress(config, history)
            if int(VALIDATIONS * now) > int(VALIDATIONS * done):
                history[-1].update(validate(run, dataset.validation))
            yield history[-1]


def draw_tile(config: Config, planes: list[tuple], step: int) -> tuple[Array, Array, Array | None]:
    """Return the tile of a step, x (C, tile, tile), its labels and its weights (output, output).

    `planes` hold an image (C, H, W), labels (H, W) and weights (H, W) or None for each training image; the tile is
    on their device.
    """
    rng = np.random.default_rng([config.seed, step])
    image, labels, weights = planes[rng.integers(len(planes))]
    sizes = (config.tile, config.tile), (output_size(config.tile, config.depth),) * 2
    return augmented_tile(image, labels, weights, rng, *sizes, AUGMENTATIONS[config.augmentation])


def train_step(run: Run, tile: tuple, step: int, rate: float) -> Array:
    """Go forward and backward with the tile of this step, and update the parameters; return the loss.

    On a GPU nothing here waits for a result, the loss included: it is a 0-d array.
    """
    config = run.config
    xp = array_module(run.params["head"]["bias"])
    x, labels, weights = (None if plane is None else xp.asarray(plane[None]) for plane in tile)  # each a batch of one

    rng = np.random.default_rng([config.seed, step, 1])
    logits, cache = unet_forward(run.params, x, config.dropout_rate, rng)  # (1, K, output, output)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    dlogits = softmax_cross_entropy_backward(xp.ones((), x.dtype), loss_cache)
    grads = unet_backward(dlogits, cache)
    if config.optimiser == "adam":
        adam_step(run.params, grads, run.velocity, rate, config.momentum, step + 1)
    else:
        sgd_step(run.params, grads, run.velocity, rate, config.momentum)
    return loss


def progress(config: Config, history: list[dict]) -> float:
    """Return how much of the run is done, from 0 to 1, by steps or by the clock."""
    if not history:
        return 0.0
    if config.steps is not None:
        return min(1.0, len(history) / config.steps)
    return min(1.0, history[-1]["seconds"] / (60 * config.minutes))


def learning_rate(config: Config, step: int, done: float) -> float:
    """Return the rate of a step: up in a line over WARM_UP steps, down by a half cosine over the run."""
    return config.learning_rate * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))


def prediction_tile(config: Config) -> int | None:
    """Return the tile to predict with: on a GPU the one that it trains with, since that fits into its memory."""
    return config.tile if config.device == "gpu" else None


def validate(run: Run, samples: list[Sample]) -> dict:
    """Return the mean pixel error on held-out images, and that of the majority class."""
    tile = prediction_tile(run.config)
    means = mean(pixel_errors(samples, predict_samples(run.params, run.normalisation, samples, tile=tile)))
    return {"validation_error": means["pixel_error"], "majority_error": means["majority_pixel_error"]}
