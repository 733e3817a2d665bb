"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from minunet.errors import InputError

PICTURES = (".png", ".pdf", ".svg")


def replace_atomically(path: str | Path, write) -> None:
    """Call ``write(temporary)`` with a path in the same folder, then move the result to `path` in one step.

    So `path` is always the whole old file or the whole new one, even after a crash.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(
            f"expected a file in a folder that exists, found no folder {path.parent} for {path.name}; "
            "make the folder, or choose another path"
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        temporary = Path(folder) / path.name  # the suffix tells Pillow and matplotlib the format
        write(temporary)
        os.replace(temporary, path)


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
