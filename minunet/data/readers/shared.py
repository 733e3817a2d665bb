"""What several readers do: check that the folder exists, separate touching cells, number cells, hold out images."""

from pathlib import Path

import numpy as np

from minunet.data.sample import Dataset, Sample
from minunet.data.weight_maps import separate_touching
from minunet.errors import InputError


def existing_folder(directory: str | Path, layout: str) -> Path:
    """Return the folder as a path; raise InputError, saying what it should hold, if there is none."""
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"expected a folder with {layout}, found no folder {directory}; check the path")
    return directory


def separated(instances: np.ndarray, where) -> np.ndarray:
    """Do what `separate_touching` does; its error then begins with `where` the instances come from."""
    try:
        return separate_touching(instances)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def as_int32(labels: np.ndarray) -> np.ndarray:
    """Return labels as int32; if numbers are too large for it, all are replaced by 1, 2, 3, ... in their order."""
    if labels.max() <= np.iinfo(np.int32).max:
        return labels.astype(np.int32)
    numbers = np.union1d(labels, np.zeros(1, labels.dtype))
    return np.searchsorted(numbers, labels).astype(np.int32)


def hold_out_last(name: str, samples: list[Sample], share: int) -> Dataset:
    """Return a data set of two classes of which the last 1 / `share` is held out, and at least one sample.

    Raises
    ------
    InputError
        If there are fewer than 2 samples, or if their numbers of channels differ.
    """
    if len(samples) < 2:
        raise InputError(
            f"{name}: expected at least 2 images with truth, one of them to hold out, got {len(samples)}; add more"
        )
    first, *others = samples
    for sample in others:
        if len(sample.image) != len(first.image):
            raise InputError(
                f"expected images with the same number of channels, got {len(first.image)} in {first.name} and "
                f"{len(sample.image)} in {sample.name}; convert all to grey or all to colour"
            )
    held_out = max(1, len(samples) // share)
    return Dataset(name, samples[:-held_out], samples[-held_out:], num_classes=2)
