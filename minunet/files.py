"""Files that are written whole or not at all.

A file is written under another name in the same folder, forced onto the disk, and only then put in the place of the old
one, which is a single step of the file system. So neither a killed process nor a power failure leaves half a file. A
killed process may leave the other file behind; its name begins with UNFINISHED, and `remove_unfinished` removes it.
"""

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

from minunet.errors import InputError

PICTURES = (".png", ".pdf", ".svg")
UNFINISHED = ".minunet-"
IS_WINDOWS = os.name == "nt"
WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds: on Windows a virus scanner or a viewer may hold a file for a moment


def replace_atomically(path: str | Path, write) -> None:
    """Call ``write(temporary)`` with a path in the same folder, then move the result to `path` in one step.

    So `path` is always the whole old file or the whole new one, even after a crash.

    Raises
    ------
    InputError
        If there is no such folder.
    OSError
        If the file cannot be written: the disk is full, or the folder is read-only. The old file is kept.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(
            f"expected a file in a folder that exists, found no folder {path.parent} for {path.name}; "
            "make the folder, or choose another path"
        )
    temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}{path.suffix}")  # Pillow goes by the suffix
    try:
        write(temporary)
        _force_onto_disk(temporary)
        _replace(temporary, path)
        _force_folder_onto_disk(path.parent)
    except OSError as error:
        raise OSError(f"could not write {path}: {error.strerror or error}; what was there before is kept") from error
    finally:
        with contextlib.suppress(OSError):  # it is gone, unless something went wrong
            temporary.unlink()


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process has left in a folder. Call it only while no other process writes there."""
    for path in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            path.unlink()
    for name in ("checkpoint", "config", "log", "curves", "weights", "metrics", "predictions", "contact_sheet"):
        for path in folder.glob(f".{name}-????????"):  # as minunet 0.2 called them: folders with this one file
            if path.is_dir() and all(inside.stem == name for inside in path.iterdir()):
                shutil.rmtree(path, ignore_errors=True)


def looks_empty(folder: Path) -> bool:
    """Tell whether a folder holds nothing but hidden files, such as .DS_Store or what a killed process has left."""
    return all(path.name.startswith(".") for path in folder.iterdir())


def picture_path(out: str | Path) -> Path:
    """Return `out` as a path; raise InputError unless a picture can be written there. Call it before the long work."""
    out = Path(out)
    if not out.parent.is_dir():
        raise InputError(
            f"--out must be in a folder that exists, found no folder {out.parent} for {out.name}; make the folder, or "
            "choose another --out"
        )
    if out.suffix.lower() not in PICTURES:
        raise InputError(
            f"--out must end with {', '.join(PICTURES)}, got {out}; try {out.with_name(out.name + '.png')}"
        )
    return out


def _replace(temporary: Path, path: Path) -> None:
    """Call os.replace; on Windows again and again for a while, if another process has the old file open."""
    for wait in WAITS if IS_WINDOWS else ():
        try:
            return os.replace(temporary, path)
        except PermissionError:
            time.sleep(wait)
    os.replace(temporary, path)


def _force_onto_disk(path: Path) -> None:
    with open(path, "rb+") as file:  # Windows wants to be allowed to write
        os.fsync(file.fileno())


def _force_folder_onto_disk(folder: Path) -> None:
    """Force the new name onto the disk, where the system can; Windows has no such call, some network disks neither."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
