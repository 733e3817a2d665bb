"""What several readers do: check that the folder exists, list its files, separate touching cells and number cells."""

import unicodedata
from pathlib import Path

import numpy as np

from minunet.data.weight_maps import separate_touching
from minunet.errors import InputError


def existing_folder(directory: str | Path, layout: str) -> Path:
    """Return the folder as a path; raise InputError, saying what it should hold, if there is none."""
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise InputError(f"expected a folder with {layout}, got the file {directory}; name the folder that holds them")
    if not directory.is_dir():
        raise InputError(f"expected a folder with {layout}, found no folder {directory}; check the path")
    return directory


LEFT_BY_WINDOWS = ("thumbs.db", "desktop.ini")  # in folders of images; their owner does not see them


def visible_files(folder: Path) -> list[Path]:
    """Return the files in a folder, sorted, without those that its owner does not see, such as Thumbs.db or ._a.png."""
    files = (path for path in folder.iterdir() if path.is_file())
    return sorted(path for path in files if path.name[0] != "." and path.name.lower() not in LEFT_BY_WINDOWS)


def name_of(path: Path) -> str:
    """Return the name of a file without extension; ä is one letter, where macOS may have written a and two dots."""
    return unicodedata.normalize("NFC", path.stem)


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
