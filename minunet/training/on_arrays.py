"""Training in one call: images and labels in, a network out."""

from collections.abc import Sequence

import numpy as np

from minunet.backend import Array, to_host
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError
from minunet.network.trained import Network
from minunet.training.config import resolve
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import start, train_steps


def train(
    images: Sequence[Array],
    labels: Sequence[Array],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    recipe: str = "quick",
    progress: bool = True,
    **settings: str | float | None,
) -> Network:
    """Train a network on images and the class of each of their pixels.

    Parameters
    ----------
    images : arrays, (H, W) or (C, H, W) each
        Grey values as they come from the microscope, of any size, all with the same channels.
    labels : arrays of integers or booleans, (H, W) each
        The class of each pixel: 0 is background, 1 is cell; there may be more classes, 2, 3, and so on. Of cells that
        are numbered one by one take ``instances > 0``.
    steps, minutes : numbers, optional
        How long to train: one of the two; 800 steps by default.
    seed : int
        The same seed and number of steps give the same network again, on one machine.
    recipe : "quick" or "paper"
        Settings that belong together; see `training/recipes.py`.
    progress : bool
        Show a progress bar.
    **settings
        Any other setting of `minunet.training.config.Config`, such as base_channels=8, tile=108, device="gpu".

    Returns
    -------
    network : Network
        For `predict`; `save_network` writes it to a file.

    Raises
    ------
    InputError
        If images and labels do not fit each other, or a setting is unknown or cannot be.
    """
    if "data" in settings:
        raise InputError(
            "train takes images and labels in place of data, got data; `minunet train --data` reads folders"
        )
    options = dict(data="arrays", steps=steps, minutes=minutes, seed=seed, **settings)
    config = resolve(options, recipe)
    dataset = _dataset(images, labels)
    run = start(config, dataset)
    for _ in with_progress_bar(run, train_steps(run, dataset), progress):
        pass
    return run.network


def _dataset(images: Sequence[Array], labels: Sequence[Array]) -> Dataset:
    """Return the arrays as a data set, without held-out images."""
    if len(images) != len(labels) or len(images) == 0:
        raise InputError(
            f"expected as many label images as images, at least one, got {len(images)} images and {len(labels)} labels"
        )
    samples = [_sample(i, *pair) for i, pair in enumerate(zip(images, labels, strict=True))]
    channels = [len(sample.image) for sample in samples]
    if len(set(channels)) > 1:
        raise InputError(f"expected images with the same number of channels, got {channels}; train on one kind at once")
    return Dataset("arrays", samples, [], _num_classes(samples))


def _sample(number: int, image: Array, labels: Array) -> Sample:
    name, image, labels = f"image {number}", np.asarray(to_host(image)), np.asarray(to_host(labels))
    image = image[None] if image.ndim == 2 else image
    if image.ndim != 3 or image.dtype.kind not in "biuf" or image.size == 0:
        raise InputError(f"{name}: expected numbers (H, W) or (C, H, W), got {image.dtype} {image.shape}")
    if not np.isfinite(image).all():
        raise InputError(f"{name}: expected finite grey values, got NaN or infinity; numpy.nan_to_num replaces them")
    if labels.shape != image.shape[1:]:
        raise InputError(f"{name}: expected labels {image.shape[1:]} like the image, got {labels.shape}")
    if labels.dtype.kind not in "biu" or labels.min() < 0 or labels.max() > 255:
        raise InputError(
            f"{name}: expected labels of whole numbers from 0 to 255, the class of each pixel, got {labels.dtype} from "
            f"{labels.min()} to {labels.max()}; for two classes, background and cell, take labels > 0"
        )
    return Sample(name, image.astype(np.float32), labels.astype(np.uint8), None)


def _num_classes(samples: list[Sample]) -> int:
    """Return the number of classes; raise InputError if one of them is missing, as in a mask of 0 and 255."""
    classes = np.unique(np.concatenate([np.unique(sample.labels) for sample in samples]))
    if len(classes) > 1 and not np.array_equal(classes, np.arange(len(classes))):
        raise InputError(
            f"expected labels 0, 1, 2 ..., each of which occurs, got {', '.join(map(str, classes))}; for two classes, "
            "background and cell, take labels > 0"
        )
    return len(classes)
