"""Overlap-tile (Fig. 2): an image of any size through a network that sees one tile at a time.

To predict an output tile the network must see more: the border that valid convolutions take off, on every side.
Where that border lies outside the image, the image is mirrored. The output tiles stand side by side without overlap,
so every pixel is predicted once, and its value does not depend on the tile:

    x[c, h - border / 2 ...]  ->  network  ->  logits[k, h ...]  ->  p[k, h ...] = softmax over k

That holds only if all tiles pool the same windows of the image: so each tile starts at a multiple of 2**depth.
The same is done with each turned version of the image, on the grid of that version; see `rotations.py`.

Only what the tiles at work need is in memory. The image is read, and the result written, slice by slice. On a CPU a
small network works on several tiles at once, see `network/tiles_at_once.py`; what they find is added to the result in
their order, so that the result is the same.
"""

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from minunet.backend import array_module, to_host
from minunet.data.normalisation import Normalisation, as_normalisation
from minunet.data.sample import Sample
from minunet.errors import InputError
from minunet.fast.cpu.parallel import side_by_side
from minunet.gpu import allow_tf32_if_asked
from minunet.network.sizes import border
from minunet.network.tiles_at_once import tiles_at_once
from minunet.network.trained import Network
from minunet.prediction.checks import (
    as_image,
    check_image,
    check_network,
    check_out,
    slices_of_rows,
    warn_if_raw,
)
from minunet.prediction.forward import unet_forward
from minunet.prediction.memory import check_memory_for
from minunet.prediction.memory_map import let_go
from minunet.prediction.plan import Window, largest_tile, make_plan, output_windows
from minunet.prediction.rotations import turned_back, turned_window
from minunet.prediction.task import Task, numbers_for, read_window
from minunet.progress import ProgressBar


def predict(
    network: Network | dict,
    image: np.ndarray,
    tile: int | tuple[int, int] | None = None,
    rotations: int = 1,
    *,
    normalisation: Normalisation | dict | str | None = None,
    out: np.ndarray | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Return the probability of each class at every pixel.

    Parameters
    ----------
    network : Network, or parameters as from `init_unet`
        A Network, as from `load_network` or `train`, normalises the image as it was trained. Parameters alone take the
        image as it is; a warning tells if it seems not to be normalised. The prediction runs in their dtype, on their
        device.
    image : array, (H, W) or (C, H, W), any size and type of number
        Anything that can be sliced, a numpy.memmap for example.
    tile : int or (height, width), optional
        Input size of the network. It changes the memory that is needed, not the result.
    rotations : 1, 4, 7 or 8
        Average over that many versions of the image: itself, the quarter turns, turns by 360/7 degrees as in the
        paper, or all symmetries of the square.
    normalisation : Normalisation, or "image", or a dict of mean and std, optional
        In place of the network's. "image" normalises the image by its own mean and standard deviation; to find them,
        all of it is read into memory once.
    out : array of floats, (K, H, W), optional
        Where to write the result, a numpy.memmap for example. With it, the memory needed does not grow with the image.
    progress : bool
        Show a progress bar by tiles.

    Returns
    -------
    probabilities : array on the host, (K, H, W); `out`, if it was given

    Raises
    ------
    InputError
        If the image does not fit the network or holds NaN, the tile is too small, rotations is another number, or
        `out` or the normalisation does not fit, or more memory is needed than is free. All that is checked before
        `out` is changed. If the network's values are too large for its numbers, so that probabilities are NaN.
    """
    task = _task(network, image, tile, rotations, normalisation, out)
    if task.normalisation is None:
        warn_if_raw(task.image)
    _run([task], progress)
    return task.out


def predict_many(
    network: Network | dict, images: Iterable[np.ndarray], progress: bool = False, **options
) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image, in their order; `progress` and `options` as for `predict`.

    An image may have fewer tiles than are worked on at once. Then the next images are read, too, and predicted with it.
    """
    for tasks in _groups(map(partial(_task, network, **options), images)):
        for task in tasks:
            if task.normalisation is None:
                warn_if_raw(task.image)
            del task  # or its image would be kept while the next one is read
        _run(tasks, progress)
        while tasks:
            yield tasks.pop(0).out


def predict_samples(
    network: Network | dict, samples: list[Sample], progress: bool = False, **options
) -> list[np.ndarray]:
    """Return the probabilities (K, H, W) of each sample; `network`, `progress` and `options` as for `predict`."""
    disable = None if progress and len(samples) > 1 else True
    images = predict_many(network, (sample.image for sample in samples), progress, **options)
    bar = ProgressBar(images, desc="predicting", total=len(samples), unit="image", disable=disable, leave=False)
    return list(bar)


def _task(
    network: Network | dict,
    image: Any,
    tile: int | tuple[int, int] | None = None,
    rotations: int = 1,
    normalisation: Normalisation | dict | str | None = None,
    out: np.ndarray | None = None,
) -> Task:
    """Check the arguments of `predict`; return what is to be done."""
    params, own_normalisation = check_network(network)
    normalisation = own_normalisation if normalisation is None else as_normalisation(normalisation)
    image = as_image(image)
    check_image(params, image, normalisation)
    bias, depth = params["head"]["bias"], len(params["encode"])
    C, H, W = (1, *image.shape)[-3:]
    plan = make_plan((H, W), tile, rotations, depth)
    is_normalised_as_a_whole = normalisation is not None and normalisation.scope == "image"
    check_memory_for(params, (C, H, W), tile, rotations, is_normalised_as_a_whole, is_kept=out is None)
    if normalisation is not None:
        normalisation = numbers_for(image, normalisation)
    if out is None:
        out = np.empty((len(bias), H, W), bias.dtype)
    check_out(out, (len(bias), H, W))
    windows = sum(1 for _ in output_windows(plan, depth))
    return Task(params, image, normalisation, plan, windows, out, threading.Lock())


def _groups(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Yield the tasks, several together where they have few tiles; none is asked for before it is needed."""
    group: list[Task] = []
    try:
        for task in tasks:
            group.append(task)
            del task  # or its image would be kept while the next one is read
            if sum(task.windows for task in group) >= _tiles_at_once(group):
                yield group
                group = []
    except InputError:  # of an image that cannot be predicted; those before it can
        if group:
            yield group
        raise
    if group:
        yield group


def _run(tasks: list[Task], progress: bool) -> None:
    """Write the probabilities of each task to its `out`, some tiles at a time."""
    for task in tasks:
        allow_tf32_if_asked(task.params["head"]["bias"])
        for rows in slices_of_rows(task.out):
            task.out[:, rows] = 0
    windows, at_once, total = _windows(tasks), _tiles_at_once(tasks), sum(task.windows for task in tasks)
    with ProgressBar(total=total, unit="tile", disable=None if progress else True, leave=False) as bar:
        while some := list(islice(windows, at_once)):
            found = side_by_side(_predict_window, some, at_once)
            for (task, _), (rows, columns, part) in zip(some, found, strict=True):
                task.out[:, rows, columns] += part
                let_go(task.image)
                let_go(task.out)
                bar.update()


def _windows(tasks: list[Task]) -> Iterator[tuple[Task, Window]]:
    return ((task, window) for task in tasks for window in output_windows(task.plan, task.depth))


def _tiles_at_once(tasks: list[Task]) -> int:
    return tiles_at_once(tasks[0].params, *largest_tile([part for task in tasks for part in task.plan]))


def _predict_window(task_and_window: tuple[Task, Window]) -> tuple[slice, slice, np.ndarray]:
    """Return what a window adds to which rows and columns of the result, (K, rows, columns)."""
    task, (version, tile, top, left, height, width) = task_and_window
    margin = border(task.depth) // 2
    x = turned_window(version, partial(read_window, task), top - margin, left - margin, *tile)  # (C, *tile)
    p = tile_probabilities(task.params, x)[:, :height, :width]  # (K, height, width)
    return turned_back(version, p / len(task.plan), top, left)


def tile_probabilities(params: dict, x: np.ndarray) -> np.ndarray:
    """Run the network on one tile (C, H, W) on its device; return the softmax over the classes, (K, OH, OW)."""
    xp = array_module(params["head"]["bias"])
    with np.errstate(over="ignore", invalid="ignore"):  # the result tells
        batch, _ = unet_forward(params, xp.asarray(x[None]))  # (1, K, OH, OW)
        logits = batch[0]  # (K, OH, OW)
        p = xp.exp(logits - logits.max(axis=0))
        p = to_host(p / p.sum(axis=0))
    if not np.isfinite(p).all():
        raise InputError(
            "the network must give finite numbers, got NaN: its weights, or the image's values, are too large; take an "
            "intact checkpoint, or check the image"
        )
    return p
