"""Does a run go well? If its numbers explode, it is stopped; if it has got stuck, a warning says so.

explodes    The loss is not finite, or above LARGEST_LOSS per unit of weight: the true class has a probability of
            e^-1000. Then the layers are gone through, and the first one whose output is not finite, or beyond
            LARGEST, is named. (There is one: for such a loss, two logits must differ by 1000.)
dead        A ReLU's output is 0 in every channel and pixel. No gradient passes, so it stays so.
collapsed   Every pixel is called the same class, although there are several; or the network is in another way no
            better than the majority class. That may be so at first, so it is said when a run is half over, from
            MIN_STEPS on, and at its end.
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
from minunet.training.config import Config, peak_learning_rate, usual_learning_rate

if TYPE_CHECKING:
    from minunet.training.train import Run, Tile

LARGEST_LOSS = 1000.0
LARGEST = 400.0  # of an output; in the trained network that comes with minunet none is above 50
HOPELESS = 1e6  # a network with such outputs is not saved
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
    where = _where(run, [xp.asarray(image[None]) for image, _, _ in tiles])
    if not all(weights is None or bool(xp.isfinite(weights).all()) for _, _, weights in tiles):
        where = ", where the loss weights are not finite"
    expected = f"below {LARGEST_LOSS:g}" if math.isfinite(loss) else "finite"
    raise InputError(
        f"the loss must stay {expected}, got {loss:.4g} at step {step + 1}{where}; {lower_learning_rate(run.config)}"
    )


def check_network(run: "Run") -> None:
    """Raise InputError if the network's numbers explode on noise of mean 0 and standard deviation 1."""
    config, channels = run.config, run.params["encode"][0]["conv1"]["weight"].shape[1]
    xp = array_module(run.params["head"]["bias"])
    noise = np.random.default_rng(0).standard_normal((1, channels, config.tile, config.tile), np.float32)
    if where := _where(run, [xp.asarray(noise, dtype=run.params["head"]["bias"].dtype)], HOPELESS):
        raise InputError(
            f"the network's numbers must stay in range, but do not after step {len(run.history)}{where}; "
            + lower_learning_rate(config)
        )


def first_out_of_range(params: Params, x: Array, largest: float = LARGEST) -> tuple[str, float] | None:
    """Return the first layer with an output that is not finite or beyond `largest`, and what it is; None if none has.

    Parameters
    ----------
    params : as from `init_unet`
    x : array, (N, C, H, W)
    """
    with quietly():
        for name, y in {"the input": x, **activations(params, x)}.items():
            found = float(abs(y).max())
            if not found <= largest:  # NaN is not
                return name, found
    return None


def _where(run: "Run", inputs: list[Array], largest: float = LARGEST) -> str:
    """Return, in words, which parameters or which layer are out of range, for one of the inputs; "" if none are.

    The running averages count as parameters here.
    """
    running = flatten({"running": run.running}) if run.running else {}
    for name, weight in {**flatten(run.params), **running}.items():
        if not array_module(weight).isfinite(weight).all():
            return f", where {name} is not finite"
    for found in (first_out_of_range(run.params, x, largest) for x in inputs):
        if found is not None:
            return ", where {} is the first layer out of range, with values up to {:.2g}".format(*found)
    return ""


def warn_if_stuck(run: "Run", dataset: Dataset, half_over: bool) -> bool:
    """Warn if a layer is dead or, where a run is half over, it has learned nothing; tell whether it did.

    It looks at held-out images or, if there are none, at training images.
    """
    images = f"{'held-out' if dataset.validation else 'training'} images"
    dead, called, true = _look_at(run, (dataset.validation or dataset.train)[:IMAGES])
    step, row = len(run.history), run.history[-1]
    lower, other = lower_learning_rate(run.config), other_learning_rate(run.config)
    is_late = half_over and step >= MIN_STEPS
    if dead:
        what = f"{dead[0]} is dead: its output is 0 everywhere in {images}, so no gradient passes; start again: {lower}"
    elif is_late and len(called) == 1 and len(true) > 1:
        what = f"every pixel of {images} is called class {called.pop()}; train for more steps, or {other}"
    elif is_late and dataset.validation and row["validation_error"] >= row["majority_error"]:
        errors = "{validation_error:.3f} on held-out images, is not below the majority class's {majority_error:.3f}"
        what = f"the pixel error, {errors.format(**row)}; train for more steps, or {other}"
    else:
        return False
    warnings.warn(f"after step {step} {what}", stacklevel=5)  # the line that called `minunet.train`
    return True


def _look_at(run: "Run", samples: list[Sample]) -> tuple[list[str], set[int], set[int]]:
    """Return the layers that are dead in the middle of all images, and the classes that are called, and are there.

    In a healthy network the first image shows that no layer is dead and two classes are called; that is enough.
    """
    params = run.network.params
    dead: list[str] = []
    called: set[int] = set()
    true: set[int] = set()
    for i, sample in enumerate(samples):
        x, labels = _middle(run, sample)
        with quietly():
            outputs = activations(params, x)
        relus = outputs if i == 0 else dead
        dead = [name for name in relus if ".conv" in name and not outputs[name].any()]
        called |= set(to_host(outputs["head"].argmax(axis=1)).ravel().tolist())
        true |= set(labels.ravel().tolist())
        if not dead and len(called) > 1:
            break
    return dead, called, true


def lower_learning_rate(config: Config) -> str:
    """Return, in words, the learning rate to try after a run of this configuration has diverged.

    It is the usual one, or a tenth of the rate if that was not above it.
    """
    rate = peak_learning_rate(config)
    if rate > 1.01 * _usual_rate(config):
        return _try_the_usual(config)
    return f"try a tenth of the learning rate, learning_rate={rate / 10:.2g}"


def other_learning_rate(config: Config) -> str:
    """Return, in words, the learning rate to try after a run has learned nothing: the usual one if it was lower."""
    return _try_the_usual(config) if _is_low(config) else lower_learning_rate(config)


def _is_low(config: Config) -> bool:
    return peak_learning_rate(config) < 0.99 * _usual_rate(config)


def _usual_rate(config: Config) -> float:
    """Return the usual rate for this momentum.

    With momentum M each gradient counts 1 / (1 - M)-fold in the end, so the rate that goes with it is in proportion to
    1 - M; Adam's does not depend on M.
    """
    usual = usual_learning_rate(config)
    return usual * (1 - config.momentum) / (1 - Config().momentum) if config.optimiser == "sgd" else usual


def _try_the_usual(config: Config) -> str:
    usual, rate = _usual_rate(config), peak_learning_rate(config)
    for_momentum = f" and momentum {config.momentum:g}" if config.optimiser == "sgd" else ""
    return f"try learning_rate={usual:.2g}, which is usual for {config.optimiser}{for_momentum}, in place of {rate:g}"


def if_no_better(run: "Run", error: float, majority: float) -> str | None:
    """Return a line if a run has ended with a mean pixel error that is not below the majority class's; else None."""
    if error < majority or error == 0:
        return None
    what = "train for more steps"
    if len(run.history) >= MIN_STEPS or _is_low(run.config):
        what += f", or {other_learning_rate(run.config)}"
    return (
        f"the mean pixel error, {error:.4f}, is not below the {majority:.4f} of calling every pixel the most common "
        f"class, so the network has learned too little: {what}"
    )


def _mean_weight(tiles: "list[Tile]") -> float:
    return max(1.0, *(1.0 if weights is None else float(weights.mean()) for _, _, weights in tiles))


def _middle(run: "Run", sample: Sample) -> tuple[Array, np.ndarray]:
    """Return the tile in the middle of an image, (1, C, tile, tile), normalised, and its labels that are known."""
    config, (H, W) = run.config, sample.labels.shape
    size = output_size(config.tile, config.depth)
    top, left, margin = (H - size) // 2, (W - size) // 2, border(config.depth) // 2
    numbers = normalisation_of(sample.image, run.normalisation)
    x = normalise(cut(sample.image, top - margin, left - margin, config.tile, config.tile), numbers)
    bias = run.params["head"]["bias"]
    labels = cut(sample.labels, top, left, size, size)
    if sample.known is not None:
        labels = labels[cut(sample.known, top, left, size, size)]
    return array_module(bias).asarray(x[None], dtype=bias.dtype), labels
