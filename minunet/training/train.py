"""Training: each step draws some tiles, goes forward and backward, and lets the optimiser change the parameters.

The paper's settings are kept where they work within minutes: He initialisation, extra weight between cells that touch.
What it does not say, or chose for ten hours on a GPU, is chosen here:

optimiser       Adam; or gradient descent with momentum, as in the paper (see `optimisers.py`)
learning rate   0.002 for Adam, 0.001 without batch normalisation, 0.03 for momentum; warmed up over 50 steps, then a
                half cosine down to 0 at the end of the run
momentum        0.9 instead of 0.99, which needs far more steps than a few minutes hold
augmentation    symmetries: the tile's random place, and the eight symmetries of the square
                jitter: other grey values too, channel by channel, as images differ in light and staining
                elastic: other grey values, any angle and elastic deformation; see `data/augment.py`
batch           two tiles instead of one, for the normalisation; the cores share them (see `processes.py`)
norm            none; or batch: batch normalisation, by the statistics over the pixels of two tiles (see `batch.py`);
                by running averages at prediction

`recipes.py` has the paper's settings. Tile n of a run is drawn from default_rng([seed, n]) and its dropout from
default_rng([seed, n, 1]), so a step never depends on how the run came there: a resumed run equals an uninterrupted one,
bit for bit. (With a time limit in place of a number of steps the learning rate follows the clock, and no two runs are
equal.)

`on_arrays.py` trains on arrays in one call; `minunet/cli/train.py` is the command.
"""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np

from minunet.backend import Array, array_module, to_device
from minunet.data import (
    AUGMENTATIONS,
    Dataset,
    augmented_tile,
    check_classes,
    fit_normalisation,
    loss_weights,
    normalise,
    prefetch,
)
from minunet.data.image_statistics import statistics_of_training
from minunet.data.normalisation import Normalisation
from minunet.gpu import allow_tf32_if_asked
from minunet.metrics.touching import SPLIT
from minunet.network.initialise import centre, init_unet
from minunet.network.odds_correction import corrected, shift_of_logits
from minunet.network.running_averages import first_running, fold_unet, update_running_averages
from minunet.network.sizes import output_size
from minunet.network.trained import Network
from minunet.training.batch import ALONE, Ranks, check_batch, mean_gradient, stacked, together
from minunet.training.config import Config, length_of_run, norm_of, peak_learning_rate, resolve
from minunet.training.gradient import gradient_of, on_threads
from minunet.training.health import check_loss, quietly, warn_if_stuck
from minunet.training.optimiser_step import take_step
from minunet.training.optimisers import OPTIMISERS
from minunet.training.recorded import by_graph
from minunet.training.validation import validate

WARM_UP = 50  # steps
VALIDATIONS = 10  # over a whole run

Tile = tuple[Array, Array, Array | None]  # x (C, tile, tile), labels (output, output), weights like labels or None


class Run(NamedTuple):
    """The state of a run; the arrays change in place, step by step."""

    config: Config  # complete, as from `resolve`
    params: dict
    optimiser_state: dict  # as from the optimiser's `init`
    normalisation: Normalisation
    history: list[dict]  # a row for each step: step, seconds, wait, learning_rate, loss; at times, validation_error
    statistics: dict | None  # of the training images; see `minunet/data/image_statistics.py`
    running: dict  # of batch normalisation, as from `first_running`; empty without
    shift: np.ndarray  # (K,), what the loss weights add to the logits; 0 before the first step
    threshold: float = 0.5  # of the probability of cell; chosen at the end of a run
    split: float = SPLIT  # how touching cells are told apart; chosen there, too

    @property
    def network(self) -> Network:
        """What `predict` takes: as the run is now, without batch normalisation, and without the loss weights' odds."""
        params = fold_unet(self.params, self.running) if self.running else self.params
        return Network(corrected(params, self.shift), self.normalisation, self.statistics, self.threshold, self.split)


def start(config: Config, dataset: Dataset) -> Run:
    """Return a fresh run: initialised parameters and optimiser's state, and the training images' normalisation."""
    config = resolve(config._asdict())
    check_classes(dataset)
    rng = np.random.default_rng(config.seed)
    channels = dataset.train[0].image.shape[0]
    params = init_unet(rng, channels, dataset.num_classes, config.base_channels, config.depth, norm=norm_of(config))
    if config.init == "centred":
        centre(params)
    params = to_device(params, config.device)
    allow_tf32_if_asked(params["head"]["bias"])
    normalisation = Normalisation("image")
    if config.normalisation == "dataset":
        normalisation = fit_normalisation(dataset.train)
    optimiser_state = OPTIMISERS[config.optimiser].init(params)
    of_images = statistics_of_training(dataset.train, normalisation)
    shift = np.zeros(dataset.num_classes)
    return Run(config, params, optimiser_state, normalisation, [], of_images, first_running(params), shift)


def learning_rate(config: Config, step: int, done: float) -> float:
    """Return the rate of a step: up in a line over WARM_UP steps, down by a half cosine over the run.

    `done` is how much of the run is done before the step, from 0 to 1.
    """
    return peak_learning_rate(config) * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))


def train_steps(
    run: Run,
    dataset: Dataset,
    weights: list[np.ndarray | None] | None = None,
    schedule: Callable[[Config, int, float], float] = learning_rate,
    ranks: Ranks = ALONE,
    share: Callable = on_threads,
) -> Generator[dict, None, None]:
    """Train to the end of the run; yield after every step, so that the caller may show, save or stop.

    Parameters
    ----------
    run : as from `start`; its arrays and its history change
    dataset : what to train on, and the images on which the pixel error is measured, if there are any
    weights : list of arrays (H, W) or None, optional
        The loss weights of each training image; by default `loss_weights` works them out.
    schedule : function
        schedule(config, step, done) returns the learning rate of a step; see `learning_rate`.
    ranks : Ranks
        The processes that share each batch; see `batch.py`.
    share : function
        How the cores of this machine share a batch: `on_threads`, or a `Processes`.

    Yields
    ------
    row : dict
        The step's row of the history: step, seconds of training so far, wait (seconds that the step waited for its
        tile), learning_rate, loss and, VALIDATIONS times in a run, validation_error and majority_error, the pixel
        errors on the held-out images. Validation, and what the caller does between the steps, do not count as training.
    """
    config, history = run.config, run.history
    images = [normalise(sample.image, run.normalisation) for sample in dataset.train]
    labels = [sample.labels for sample in dataset.train]
    if weights is None:
        weights = loss_weights(dataset.train, config.weights)
    if config.correction == "odds":
        run.shift[:] = shift_of_logits(dataset.train, weights, len(run.shift))
    planes = to_device(list(zip(images, labels, weights, strict=True)), config.device)
    seconds = history[-1]["seconds"] if history else 0.0
    check_batch(config.batch, ranks, is_normalised=bool(run.running))
    is_known = False  # that the run is stuck

    def draw(step: int) -> list[Tile]:
        return [draw_tile(config, planes, number) for number in ranks.tiles(step, config.batch)]

    with contextlib.closing(prefetch(draw, first=len(history))) as batches:
        while (done := progress(config, history)) < 1:
            step, began = len(history), time.monotonic()
            rate = schedule(config, step, done)
            tiles, wait = next(batches)
            with quietly():
                # float: on a GPU, the one place where the host waits
                loss = float(batch_step(run, tiles, step, rate, ranks, share))
                check_loss(run, tiles, step, loss, ranks)
            seconds += time.monotonic() - began
            history.append({"step": step + 1, "seconds": seconds, "wait": wait, "learning_rate": rate, "loss": loss})
            now = progress(config, history)
            if int(VALIDATIONS * now) > int(VALIDATIONS * done):
                if dataset.validation:
                    history[-1].update(validate(run, dataset.validation))
                is_known = is_known or (ranks.rank == 0 and warn_if_stuck(run, dataset, half_over=now >= 0.5))
            yield history[-1]


def draw_tile(config: Config, planes: list[tuple], number: int) -> Tile:
    """Return the tile of this number, x (C, tile, tile), its labels and its weights (output, output).

    `planes` hold an image (C, H, W), labels (H, W) and weights (H, W) or None for each training image; the tile is
    on their device.
    """
    rng = np.random.default_rng([config.seed, number])
    image, labels, weights = planes[rng.integers(len(planes))]
    sizes = (config.tile, config.tile), (output_size(config.tile, config.depth),) * 2
    return augmented_tile(image, labels, weights, rng, *sizes, AUGMENTATIONS[config.augmentation])


def train_step(run: Run, tile: Tile, step: int, rate: float) -> Array:
    """Take a step with a batch of one tile; return its loss, as `batch_step` does."""
    return batch_step(run, [tile], step, rate)


@np.errstate(over="ignore", invalid="ignore")  # what overflows shows in the loss, of this step or of the next
def batch_step(
    run: Run, tiles: list[Tile], step: int, rate: float, ranks: Ranks = ALONE, share: Callable = on_threads
) -> Array:
    """Update the parameters by the mean gradient of a batch, of which this rank has `tiles`; return the mean loss.

    `share` says how the cores of a CPU share the passes of a batch: `on_threads` or a `Processes`.

    On a GPU nothing here waits for a result, the loss included: it is a 0-d array.
    """
    numbers = ranks.tiles(step, len(tiles) * ranks.size)
    size = together(len(tiles), is_normalised=bool(run.running))
    passes = [(stacked(tiles[i : i + size]), numbers[i]) for i in range(0, len(tiles), size)]
    if len(passes) == 1 and array_module(run.params["head"]["bias"]) is not np:
        gradients = [by_graph(gradient_of, run.config, run.params, *passes[0])]
    else:
        gradients = share(run.config, run.params, passes)
    loss, grads, means = mean_gradient(gradients, ranks)
    if array_module(loss) is np:  # on a GPU the host would wait here; there `train_steps` looks at it after the step
        check_loss(run, tiles, step, loss, ranks)
    take_step(run.config.optimiser, run.params, grads, run.optimiser_state, rate, run.config.momentum, step + 1)
    update_running_averages(run.running, means, step + 1)
    return loss


def progress(config: Config, history: list[dict]) -> float:
    """Return how much of the run is done, from 0 to 1, by steps or by the clock."""
    if not history:
        return 0.0
    length = length_of_run(config)
    done = len(history) if length.by_steps else history[-1]["seconds"]
    return min(1.0, done / length.total)


def is_over(run: Run) -> bool:
    """Tell whether a run has reached its length."""
    return progress(run.config, run.history) >= 1
