"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path


def replace_atomically(path: str | Path, write) -> None:
    """Call ``write(temporary)`` with a path in the same folder, then move the result to `path` in one step.

    Whoever looks at `path`, even after a crash, finds the old file or the new one, and never half of one.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        temporary = Path(folder) / path.name  # the suffix tells Pillow and matplotlib the format
        write(temporary)
        os.replace(temporary, path)
