"""Training in one call: images and labels in, a network out."""

import contextlib
from collections.abc import Sequence

from minunet.backend import Array
from minunet.errors import InputError
from minunet.metrics.chosen_split import choose_split
from minunet.metrics.chosen_threshold import choose_threshold
from minunet.network.trained import Network
from minunet.training.arrays import dataset_of_arrays
from minunet.training.config import resolve
from minunet.training.gradient import on_threads
from minunet.training.memory import check_run
from minunet.training.processes import Processes
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import start, train_steps
from minunet.training.validation import predict_part


def train(
    images: Sequence[Array],
    labels: Sequence[Array],
    *,
    num_classes: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    recipe: str = "quick",
    progress: bool = True,
    processes: bool = False,
    **settings: str | float | None,
) -> Network:
    """Train a network on images and the class of each of their pixels.

    Parameters
    ----------
    images : list of arrays, (H, W) or (C, H, W) each
        Grey values as they come from the microscope, of any size, all with the same channels.
    labels : list of arrays of integers or booleans, (H, W) each
        The class of each pixel: 0 is background, 1 is cell; there may be more classes, 2, 3, and so on. Of cells that
        are numbered one by one take ``instances > 0``.
    num_classes : int, optional
        How many classes there are, background included. If left out, they are counted, and labels that look like
        cells numbered one by one are refused.
    steps, minutes : numbers, optional
        How long to train: one of the two; 400 steps by default.
    seed : int
        The same seed and number of steps give the same network again, on one machine.
    recipe : "quick" or "paper"
        Settings that belong together; see `training/recipes.py`.
    progress : bool
        Show a progress bar.
    processes : bool
        Whether several processes compute the tiles of a batch, as for `minunet train`: quicker on several cores. They
        import minunet anew, so they don't know what you have changed in it.
    **settings
        Any other setting of `minunet.training.config.Config`, such as base_channels=8, tile=108, device="gpu".

    Returns
    -------
    network : Network
        For `predict`; `save_network` writes it to a file. Of two classes, a pixel is of class 1 where
        ``predict(network, image)[1] > network.threshold``. The threshold is 0.5, unless another gives a clearly smaller
        pixel error on the training images, or a part of them; there `split` is chosen by V_rand, for
        ``label_cells(probabilities, network.threshold, network.split)``. ``network._replace(split=0.2)`` has another.

    Raises
    ------
    InputError
        If images and labels do not fit each other, a setting is unknown or cannot be, or the run needs more memory
        than is free.
    """
    if "data" in settings:
        raise InputError(
            "train takes images and labels in place of data, got data; `minunet train --data` reads folders"
        )
    options = dict(data="arrays", steps=steps, minutes=minutes, seed=seed, **settings)
    config = resolve(options, recipe)
    dataset = dataset_of_arrays(images, labels, num_classes)
    run = start(config, dataset)
    check_run(config, dataset, run.params)
    with Processes() if processes else contextlib.nullcontext(on_threads) as share:
        for _ in with_progress_bar(run, train_steps(run, dataset, share=share), progress):
            pass
    part = predict_part(run, dataset.train)
    threshold = choose_threshold(*part).threshold
    return run._replace(threshold=threshold, split=choose_split(*part, threshold).split).network
