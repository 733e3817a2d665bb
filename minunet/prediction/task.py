"""One image that is to be predicted: what it is read from, in which tiles, and where the result goes."""

from typing import Any, NamedTuple

import numpy as np

from minunet.data.normalisation import Normalisation, normalisation_of, normalise
from minunet.data.tiles import cut
from minunet.prediction.plan import Plan


class Task(NamedTuple):
    """An image, and all that its prediction needs."""

    params: dict
    image: Any  # (H, W) or (C, H, W): an array, or a file that can be sliced
    normalisation: Normalisation | None  # with the numbers that hold for this image
    plan: Plan
    windows: int  # how many there are to predict
    out: np.ndarray  # (K, H, W)
    reading: Any  # a lock: two threads may not read a file at once

    @property
    def depth(self) -> int:
        return len(self.params["encode"])


def numbers_for(image: Any, normalisation: Normalisation) -> Normalisation:
    """Return the normalisation with the numbers that hold for this image, (H, W) or (C, H, W)."""
    if normalisation.scope == "dataset":
        return normalisation
    whole = np.asarray(image[..., :, :])  # by slices: that is all that some file formats offer
    return normalisation_of(whole[None] if whole.ndim == 2 else whole, normalisation)


def read_window(task: Task, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return a window of the mirrored image as the network takes it, (C, height, width)."""
    with task.reading:
        window = cut(task.image, top, left, height, width)
    window = window[None] if window.ndim == 2 else window
    dtype = task.params["head"]["bias"].dtype
    window = window if task.normalisation is None else normalise(window, task.normalisation)
    return window.astype(dtype, copy=False)
