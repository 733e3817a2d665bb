"""The image files that `minunet predict` is given: files, folders and patterns; and the name of each one's results."""

import functools
import glob
import os
from pathlib import Path

from PIL import Image

from minunet.data.readers.page_sizes import page_sizes
from minunet.data.readers.shared import visible_files
from minunet.errors import InputError


def files_in(given: list[str]) -> list[str]:
    """Return the files, each once; in place of a folder, or a pattern such as cells/*.tif, those it stands for.

    The shell of Windows hands patterns on as they are; any other does so if they are quoted. ``**`` stands for folders
    within folders.

    Raises
    ------
    InputError
        If a folder, or a pattern, stands for no file.
    """
    files: dict[str, str] = {}
    for path in given:
        for file in _files_of(path):
            files.setdefault(os.path.abspath(file), file)
    return list(files.values())


def _files_of(path: str) -> list[str]:
    """Return what a path stands for: itself, unless it is a folder, or there is no such file and it is a pattern."""
    remedy = "check the path"
    if os.path.isdir(path):
        found, what = _images_in(path), f"image files in the folder {path}"
        if not found and (below := _folder_with_images_below(path)):
            remedy = f"pass its folder {below}, which has some"
    elif os.path.exists(path) or not glob.has_magic(path):
        return [path]
    else:
        matches = sorted(glob.glob(os.path.expanduser(path), recursive=True))
        found = [file for match in matches for file in (_images_in(match) if os.path.isdir(match) else [match])]
        what = f"files that match {path}"
    if not found:
        raise InputError(f"expected {what}, found none; {remedy}")
    return found


def _images_in(folder: str) -> list[str]:
    return [str(file) for file in visible_files(Path(folder)) if file.suffix.lower() in _image_suffixes()]


def _folder_with_images_below(folder: str) -> Path | None:
    """Return the first folder with images in a folder, or one level deeper; one that is called images comes first."""
    for pattern in ("images", "[!.]*", "[!.]*/images", "[!.]*/[!.]*"):  # without hidden ones
        for below in sorted(Path(folder).glob(pattern)):
            if below.is_dir() and os.access(below, os.R_OK) and _images_in(str(below)):
                return below
    return None


@functools.cache
def _image_suffixes() -> set[str]:
    return set(Image.registered_extensions())


def names_of(files: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return {file: the name of its results}, and the names of all pages, as far as the files' headers tell.

    A file's name is its own, without the extension; those of the pages of a stack are followed by a number. Where two
    would be equal, all names keep their folders, below the folder that holds all files: A/cell and B/cell. Those that
    are equal all the same, such as cell.png and cell.tif in one folder, keep their extensions: cell_png and cell_tif.

    Raises
    ------
    InputError
        If two are equal even so, such as those of cell_png.tif and cell.png beside cell.tif.
    """
    counts = {file: len(page_sizes(file)) for file in files}
    names = {file: Path(file).stem for file in files}
    if _equal_names(names, counts):
        names = _names_with_folders(files)
    for file in _equal_names(names, counts):
        names[file] += Path(file).suffix.replace(".", "_")
    if pair := _equal_names(names, counts):
        raise InputError(
            f"two images have the same name, {pair[0]} and {pair[1]}, so one result would replace the other; "
            "rename one, or predict them one by one"
        )
    return names, [page for file in files for page in _pages(names[file], counts[file])]


def _names_with_folders(files: list[str]) -> dict[str, str]:
    """Return {file: its path below the folder that holds all files, without the extension}."""
    full = {file: Path(os.path.abspath(file)).with_suffix("") for file in files}
    if len({path.anchor for path in full.values()}) > 1:  # several drives of Windows
        return {file: Path(file).stem for file in files}
    common = os.path.commonpath([path.parent for path in full.values()])
    return {file: path.relative_to(common).as_posix() for file, path in full.items()}


def _equal_names(names: dict[str, str], counts: dict[str, int]) -> list[str]:
    """Return the files of which some page would have the same name as one of another."""
    by_page: dict[str, list[str]] = {}
    for file, name in names.items():
        for page in _pages(os.path.normcase(name), counts[file]):
            by_page.setdefault(page, []).append(file)
    return list(dict.fromkeys(file for files in by_page.values() if len(files) > 1 for file in files))


def _pages(name: str, count: int) -> list[str]:
    return [name] if count <= 1 else [f"{name}_{i:03d}" for i in range(count)]
