"""Does a run go well? If its numbers explode, it is stopped; if it has got stuck, a warning says so.

explodes    the loss is not finite, or above LARGEST_LOSS per unit of weight: the true class has a probability of
            e^-1000. Then the layers are gone through, and the first one whose output is not finite, or beyond
            LARGEST, is named.
dead        a ReLU's output is 0 in every channel and pixel. No gradient passes, so it stays so.
collapsed   every pixel is called the same class, although there are several. The loss is low where one class is
            rare, but nothing has been learned.
"""

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from minunet.backend import Array, Params, array_module, flatten, to_host
from minunet.data import Dataset, Sample, normalisation_of, normalise
from minunet.data.tiles import cut
from minunet.errors import InputError
from minunet.network.activations import activations
from minunet.network.sizes import border, output_size
from minunet.training.batch import ALONE, Ranks
from minunet.training.config import Config, peak_learning_rate
from minunet.training.optimisers import OPTIMISERS

if TYPE_CHECKING:
    from minunet.training.train import Run, Tile

LARGEST_LOSS = 1000.0
LARGEST = 1e6  # of an output; in a healthy network they stay below a thousand
IMAGES = 4  # that are looked at
MIN_STEPS = 100  # before these, a network may call all pixels one class


def quietly() -> np.errstate:
    """Return a block without NumPy's warnings of overflow: what is said here says more."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def check_loss(run: "Run", tiles: "list[Tile]", step: int, loss: float | Array, ranks: Ranks = ALONE) -> None:
    """Raise InputError if the mean loss of a batch has exploded; `tiles` are those of this rank, `step` counts from 0.

    Called before the optimiser's step, it finds the parameters that led to the loss, and so the layer.
    """
    loss = float(loss)
    if loss < LARGEST_LOSS:
        return
    if math.isfinite(loss) and loss < LARGEST_LOSS * max(ranks.gather(_mean_weight(tiles))):
        return
    xp = array_module(run.params["head"]["bias"])
    where = _where(run.params, [xp.asarray(image[None]) for image, _, _ in tiles])
    expected = f"below {LARGEST_LOSS:g}" if math.isfinite(loss) else "finite"
    raise InputError(
        f"the loss must stay {expected}, got {loss:.4g} at step {step + 1}{where}; {lower_learning_rate(run.config)}"
    )


def check_network(run: "Run") -> None:
    """Raise InputError if the network's numbers explode on noise of mean 0 and standard deviation 1."""
    config, channels = run.config, run.params["encode"][0]["conv1"]["weight"].shape[1]
    xp = array_module(run.params["head"]["bias"])
    noise = np.random.default_rng(0).standard_normal((1, channels, config.tile, config.tile), np.float32)
    if where := _where(run.params, [xp.asarray(noise)]):
        raise InputError(
            f"the network's numbers must stay in range, but do not after step {len(run.history)}{where}; "
            + lower_learning_rate(config)
        )


def first_out_of_range(params: Params, x: Array) -> tuple[str, float] | None:
    """Return the first layer whose output is not finite or beyond LARGEST, and its largest value; None if none is.

    Parameters
    ----------
    params : as from `init_unet`
    x : array, (N, C, H, W)
    """
    with quietly():
        for name, y in {"the input": x, **activations(params, x)}.items():
            largest = float(abs(y).max())
            if not largest <= LARGEST:  # NaN is not
                return name, largest
    return None


def _where(params: Params, inputs: list[Array]) -> str:
    """Return, in words, which parameters or which layer are out of range, for one of the inputs; "" if none are."""
    for name, weight in flatten(params).items():
        if not array_module(weight).isfinite(weight).all():
            return f", where {name} is not finite"
    for found in (first_out_of_range(params, x) for x in inputs):
        if found is not None:
            return ", where {} is the first layer out of range, with values up to {:.2g}".format(*found)
    return ""


def warn_if_stuck(run: "Run", dataset: Dataset, half_over: bool) -> bool:
    """Warn if a layer is dead or, where a run is half over, all pixels are called one class; tell whether it did.

    It looks at the middle of IMAGES images: held-out ones or, if there are none, training images. In a healthy network
    the first of them settles it.
    """
    held_out = "held-out" if dataset.validation else "training"
    dead: set[str] = set()
    called: set[int] = set()
    true: set[int] = set()
    for i, sample in enumerate((dataset.validation or dataset.train)[:IMAGES]):
        x, labels = _middle(run, sample)
        with quietly():
            outputs = activations(run.params, x)
        relus = {name for name, y in outputs.items() if ".conv" in name and not y.any()}
        dead = relus if i == 0 else dead & relus
        called |= set(np.unique(to_host(outputs["head"].argmax(axis=1))).tolist())
        true |= set(np.unique(labels).tolist())
        if not dead and len(called) > 1:
            return False
    step = len(run.history)
    if dead:
        first = next(name for name in outputs if name in dead)
        what = f"{first} is dead: its output is 0 everywhere in {held_out} images, so it passes no gradient on"
    elif half_over and step >= MIN_STEPS and len(called) == 1 and len(true) > 1:
        what = f"every pixel of {held_out} images is called class {called.pop()}, so nothing has been learned"
    else:
        return False
    warnings.warn(f"after step {step} {what}; {lower_learning_rate(run.config)}", stacklevel=3)
    return True


def lower_learning_rate(config: Config) -> str:
    """Return, in words, the learning rate to try after a run of this configuration has diverged.

    It is the optimiser's own, or a tenth of the rate if that was not above it. With momentum M each gradient counts
    1 / (1 - M)-fold in the end, so the rate that goes with it is in proportion to 1 - M; Adam's does not depend on M.
    """
    optimiser, rate = OPTIMISERS[config.optimiser], peak_learning_rate(config)
    usual = optimiser.learning_rate
    if config.optimiser == "sgd":
        usual *= (1 - config.momentum) / (1 - Config().momentum)
    for_momentum = f" and momentum {config.momentum:g}" if config.optimiser == "sgd" else ""
    if rate > 1.01 * usual:
        return (
            f"try learning_rate={usual:.2g}, which is usual for {config.optimiser}{for_momentum}, in place of {rate:g}"
        )
    return f"try a tenth of the learning rate, learning_rate={rate / 10:.2g}"


def _mean_weight(tiles: "list[Tile]") -> float:
    return max(1.0, *(1.0 if weights is None else float(weights.mean()) for _, _, weights in tiles))


def _middle(run: "Run", sample: Sample) -> tuple[Array, np.ndarray]:
    """Return the tile in the middle of an image, (1, C, tile, tile), normalised, and the labels that go with it."""
    config, (H, W) = run.config, sample.labels.shape
    size = output_size(config.tile, config.depth)
    top, left, margin = (H - size) // 2, (W - size) // 2, border(config.depth) // 2
    numbers = normalisation_of(sample.image, run.normalisation)
    x = normalise(cut(sample.image, top - margin, left - margin, config.tile, config.tile), numbers)
    xp = array_module(run.params["head"]["bias"])
    return xp.asarray(x[None]), cut(sample.labels, top, left, size, size)
