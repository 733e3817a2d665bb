"""A checkpoint: one .npz file with everything that prediction needs and, of a run, everything to go on training.

    params/encode.0.conv1.weight ...      the parameters, by their dotted names
    velocity/encode.0.conv1.weight ...    the optimiser's state, of a run only
    normalisation/mean, std ...           how the grey values were brought to mean 0, std 1; none: each image by its own
    about                                 JSON: format, version, config, history

Plain arrays and JSON, no pickle: reading a stranger's checkpoint cannot run a stranger's code.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

from minunet.backend import flatten, map_tree, to_host
from minunet.errors import InputError
from minunet.files import replace_atomically

FORMAT, VERSION = "minunet checkpoint", 1


def save_checkpoint(
    path: str | Path, params: dict, config: dict, normalisation: dict, velocity: dict | None = None, history=None
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    params : as from `init_unet`
    config : dict
        How the network was trained: numbers, strings and None.
    normalisation : dict of arrays, as from `fit_normalisation`
    velocity : the structure of `params`, or with Adam two of it, mean and square; optional
    history : list of dicts, optional
        Velocity and history let a run be resumed; a checkpoint for prediction does without.
    """
    about = {"format": FORMAT, "version": VERSION, "config": config, "history": history}
    arrays = {"about": np.array(json.dumps(about))}
    for group, tree in (("params", params), ("velocity", velocity or {}), ("normalisation", normalisation)):
        arrays.update({f"{group}/{name}": x for name, x in flatten(map_tree(to_host, tree)).items()})
    replace_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def load_checkpoint(path: str | Path) -> dict:
    """Return params, config, normalisation, velocity and history (the last two None if there is no run to resume).

    Raises
    ------
    InputError
        If the file is missing, truncated, no checkpoint of minunet, or written by a newer version.
    """
    arrays = _read(Path(path))
    about = _about(arrays, path)
    trees = {group: _unflatten(_group(arrays, group)) for group in ("params", "velocity", "normalisation")}
    return {
        "params": trees["params"],
        "config": about["config"],
        "normalisation": trees["normalisation"],
        "velocity": trees["velocity"] or None,
        "history": about["history"],
    }


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"expected a checkpoint, found no file {path}; `minunet train` writes RUN/checkpoint.npz")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"expected a checkpoint of minunet, got {path}, which is truncated or of another kind "
            f"({type(error).__name__}); take an intact copy, or train again"
        ) from error


def _about(arrays: dict, path) -> dict:
    try:
        about = json.loads(str(arrays["about"]))
        known = about["format"] == FORMAT
    except (KeyError, TypeError, json.JSONDecodeError):
        known = False
    if not known:
        raise InputError(f"expected a checkpoint of minunet, got {path}, an archive of another program; check the path")
    if about["version"] > VERSION:
        raise InputError(
            f"expected a checkpoint of version {VERSION} or older, got version {about['version']} in {path}; "
            "update minunet"
        )
    return about


def _group(arrays: dict, group: str) -> dict[str, np.ndarray]:
    return {name.partition("/")[2]: x for name, x in arrays.items() if name.startswith(group + "/")}


def _unflatten(flat: dict[str, np.ndarray]):
    """Undo `flatten`: names between dots become dicts, numbers become lists."""
    tree: dict = {}
    for name, x in flat.items():
        *path, last = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = x
    return _with_lists(tree)


def _with_lists(tree):
    if not isinstance(tree, dict):
        return tree
    branches = {name: _with_lists(branch) for name, branch in tree.items()}
    if branches and all(name.isdigit() for name in branches):
        return [branches[name] for name in sorted(branches, key=int)]
    return branches
