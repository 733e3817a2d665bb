"""A checkpoint: one .npz file with everything that prediction needs and, of a run, everything to go on training.

    params/encode.0.conv1.weight ...             the parameters, by their dotted names
    normalisation/mean, std, low, high           how grey values are normalised; none if each image has its own numbers
    optimiser_state/encode.0.conv1.weight ...    of a run only: the velocity or, with Adam, mean and square
    about                                        JSON: format, version, config, history, scope of the normalisation

In version 1 the optimiser's state was called velocity, and the scope of the normalisation was not said; such files
are read, too.

Plain arrays and JSON, no pickle: reading a stranger's checkpoint cannot run a stranger's code.
"""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import flatten, map_tree, to_host
from minunet.data.normalisation import Normalisation, as_normalisation
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.network.checks import check_params

FORMAT, VERSION = "minunet checkpoint", 2


class Network(NamedTuple):
    """A trained network: what `predict` needs to know of it."""

    params: dict  # as from `init_unet`
    normalisation: Normalisation  # how the grey values of its training images were normalised

    def __repr__(self) -> str:
        try:
            check_params(self.params)
            scope = as_normalisation(self.normalisation).scope
        except InputError as error:
            return f"Network(not usable: {error})"
        weights = flatten(self.params)
        channels = weights["encode.0.conv1.weight"].shape[1]
        classes, base_channels = weights["head.weight"].shape[:2]
        depth, count = len(self.params["encode"]), sum(x.size for x in weights.values())
        return (
            f"Network({channels} in, {classes} classes, {base_channels} base channels, depth {depth}, "
            f"{count:,} parameters, normalisation by {scope})"
        )


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    network: Network
    config: dict  # how the network was trained
    optimiser_state: dict | None  # this and the history are None if there is no run to resume
    history: list[dict] | None


def save_checkpoint(
    path: str | Path,
    network: Network,
    config: dict,
    optimiser_state: dict | None = None,
    history: list[dict] | None = None,
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    network : Network
    config : dict
        How the network was trained: numbers, strings and None.
    optimiser_state : as from the optimiser's `init`, optional
    history : list of dicts, optional
        State and history let a run be resumed; a checkpoint for prediction does without.
    """
    check_params(network.params)
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"a checkpoint must end with .npz, got {path}; try {path}.npz")
    numbers = as_normalisation(network.normalisation)._asdict()
    scope = numbers.pop("scope")
    groups = {
        "params": network.params,
        "normalisation": {name: x for name, x in numbers.items() if x is not None},
        "optimiser_state": optimiser_state or {},
    }
    about = {"format": FORMAT, "version": VERSION, "config": config, "history": history, "normalisation": scope}
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
    for group, tree in groups.items():
        arrays.update({f"{group}/{name}": x for name, x in flatten(map_tree(to_host, tree)).items()})
    replace_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Return what a checkpoint holds, on the host.

    Raises
    ------
    InputError
        If the file is missing, truncated, no checkpoint of minunet, or written by a newer version.
    """
    arrays = _read(Path(path))
    about = _about(arrays, path)
    numbers = _group(arrays, "normalisation")
    config, state_group = about["config"], "optimiser_state"
    if about["version"] == 1:
        config = {"optimiser": "sgd", **config}  # the first runs did not say it: there was no other
        state_group = "velocity"
    normalisation = Normalisation("dataset", **numbers) if numbers else Normalisation("image")
    if about.get("normalisation", normalisation.scope) != normalisation.scope:
        raise InputError(
            f"expected the numbers of the normalisation by {about['normalisation']} in {path}, got {sorted(numbers)}; "
            "take an intact copy, or train again"
        )
    network = Network(_unflatten(_group(arrays, "params")), normalisation)
    try:
        check_params(network.params)
        as_normalisation(network.normalisation)
    except InputError as error:
        raise InputError(f"expected a checkpoint with a whole network, got {path}: {error}") from error
    state = _unflatten(_group(arrays, state_group)) or None
    return Checkpoint(network, config, state, about["history"])


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
        known = (
            about["format"] == FORMAT and isinstance(about["version"], int) and {"config", "history"} <= about.keys()
        )
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
