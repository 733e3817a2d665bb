"""The folder of `minunet predict`: no result is replaced, and one process at a time writes to it."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from minunet.cli.predict_results import ENDINGS, result_paths
from minunet.cli.shared_options import DEFAULT_OUT
from minunet.errors import InputError
from minunet.training.folder_lock import FolderInUseError
from minunet.training.run_folder import made_and_held


def check_out(out: str | None, names: Iterable[str]) -> None:
    """Raise InputError if --out is given and is a file, or holds results of these images. Nothing is made yet."""
    if out is None:
        return
    folder = Path(out)
    for part in (folder, *folder.parents):
        if part.is_file():
            raise InputError(f"--out must be a folder, got the file {part}; choose another --out")
    if taken := _taken(folder, names):
        raise InputError(f"--out must not hold results already, got {taken[0]}; choose another --out")


@contextlib.contextmanager
def folder_for(out: str | None, names: Iterable[str]) -> Iterator[Path]:
    """Make the folder for the results of these images, and hold it until the block ends.

    It is `out`, or the first default one that holds no results of these images and to which no other process writes.

    Raises
    ------
    InputError
        If `out` is a file, or holds results of these images, or another process writes to it.
    """
    with contextlib.ExitStack() as held:
        if out is None:
            yield _hold_a_default_folder(names, held)
        else:
            held.enter_context(made_and_held(Path(out)))
            check_out(out, names)  # once more: another process may have written to it since
            yield Path(out)


def _hold_a_default_folder(names: Iterable[str], held: contextlib.ExitStack) -> Path:
    numbered = (Path(f"{DEFAULT_OUT}-{number}") for number in itertools.count(2))
    for folder in itertools.chain([Path(DEFAULT_OUT)], numbered):
        if folder.is_file() or _taken(folder, names):
            continue
        with contextlib.suppress(FolderInUseError):
            held.enter_context(made_and_held(folder))
            if not _taken(folder, names):
                return folder
            held.close()  # another process has written its results since
    raise AssertionError("the numbers never end")


def _taken(folder: Path, names: Iterable[str]) -> list[Path]:
    return [path for name in names for path in result_paths(folder, name, ENDINGS).values() if path.exists()]
