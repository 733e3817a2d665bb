"""What an earlier try to predict a slide has left in the folder of its result: nothing, a beginning, or blocks."""

import json
from pathlib import Path
from typing import Any

from minunet.errors import InputError
from minunet.scale.extras import need
from minunet.training.folder_lock import LOCK

GROUP = (".zgroup", ".zattrs", "zarr.json")  # what Zarr writes first: a group, in format 2 or in format 3
PARTIAL = ".partial"  # how Zarr ends the name of a file that is not whole yet


def old_result(out: Path, about: dict):
    """Return the group of an earlier try to go on with, or None if there is none; hold the folder meanwhile.

    What a killed process has left half written is removed: if it was killed before its group was whole, all of it.

    Raises
    ------
    InputError
        If the folder holds something else, or a result that is not `about` the same image, network and blocks.
    """
    if _is_a_beginning(out):
        for path in _content(out):
            path.unlink()
        return None
    try:
        result = need("zarr").open_group(str(out), mode="r+")
        stored = _as_dict(result.attrs["minunet"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"--out must be new, or a result to go on with, got {out}, which holds something else; choose another --out"
        ) from error
    for name, now in about.items():
        if stored.get(name) != now:
            raise InputError(
                f"--out must be new, or of the same {name}, got {out} of {stored.get(name)} in place of {now}; "
                "choose another --out"
            )
    for path in out.rglob(f"*{PARTIAL}"):
        path.unlink()
    return result


def _is_a_beginning(out: Path) -> bool:
    """Tell whether a folder is empty, or holds a group that is not whole and has no arrays: nothing is lost then.

    A whole group has the attributes that say what it is about. Those of another program may have others, or none.
    """
    files = _content(out)
    if not all(path.name in GROUP or path.suffix == PARTIAL for path in files):
        return False
    group = {path.name: _read(path) for path in files if path.name in GROUP}
    third = group.get("zarr.json", {})
    attributes = {**group.get(".zattrs", {}), **_as_dict(third.get("attributes"))}
    is_foreign = third.get("node_type") == "array" or set(attributes) - {"minunet"}
    is_whole = "minunet" in attributes and bool(third or group.get(".zgroup"))
    return not is_foreign and not is_whole


def _content(out: Path) -> list[Path]:
    return [path for path in out.iterdir() if path.name != LOCK]


def _read(path: Path) -> dict:
    """Return the JSON in a file; an empty dict if it is cut off."""
    try:
        return _as_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return {}


def _as_dict(content: Any) -> dict:
    return content if isinstance(content, dict) else {}
