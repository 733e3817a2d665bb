"""What several readers do: check that the folder exists, separate touching cells and number cells."""

from pathlib import Path

import numpy as np

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
