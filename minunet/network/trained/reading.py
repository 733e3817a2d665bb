"""What a checkpoint holds, read from its arrays and checked in this one place, whoever made the file.

After it, the parameters are those of a U-Net, the optimiser's state fits them, all numbers are finite, and the
configuration and the history are plain dicts. What the settings may be is known to training alone; see
`minunet/training/stored_run.py`.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minunet.backend import flatten, is_whole_number
from minunet.data.image_statistics import check_statistics
from minunet.data.normalisation import SCOPES, Normalisation, as_normalisation
from minunet.errors import InputError, shown
from minunet.metrics.chosen_threshold import HALF, check_threshold
from minunet.metrics.touching import SPLIT, check_split
from minunet.network.checks import check_arrays
from minunet.network.running_averages import fold_unet

FORMAT, VERSION = "minunet checkpoint", 3
KEYS = {"format", "version", "config", "history"}  # of `about`; since version 2 "normalisation", too
NEW_KEYS = {"statistics", "threshold", "split"}  # of `about`, which may be there from version 3 on
PREFIXES = {frozenset({""}), frozenset({"mean.", "square."})}  # of the names in a state: momentum's, or Adam's
NEW_SETTINGS = {"optimiser": "sgd", "batch": 1}  # not said in version 1: there was nothing else

Arrays = dict[str, np.ndarray]


def read_about(arrays: Arrays, path: Path) -> dict:
    """Return the JSON of a checkpoint, with the keys of version 2, and the settings and the history as plain dicts."""
    about = _parsed(arrays["about"], path) if "about" in arrays else None
    if not isinstance(about, dict) or about.get("format") != FORMAT or not is_whole_number(about.get("version")):
        raise InputError(f"expected a checkpoint of minunet, got {path}, an archive of another program; check the path")
    if about["version"] > VERSION:
        raise InputError(
            f"expected a checkpoint of version {VERSION} or older, got version {shown(about['version'])} in {path}; "
            "update minunet"
        )
    if about["version"] < 1:
        _refuse("version 1, 2 or 3", shown(about["version"]), path)
    expected = KEYS if about["version"] == 1 else {*KEYS, "normalisation"}
    if odd := sorted(expected ^ (set(about) - NEW_KEYS)):
        _refuse(f"{', '.join(sorted(expected))} in about", f"{shown(odd[0])} {_odd(odd[0], expected)}", path)
    with _naming(path):
        check_statistics(about.get("statistics"))
        check_threshold(about.get("threshold", HALF))
        check_split(about.get("split", SPLIT))
    config, history = about["config"], about["history"]
    if not isinstance(config, dict):
        _refuse("settings by their names as config", shown(config), path)
    for name, value in config.items():
        if not isinstance(value, (str, int, float, type(None))):
            _refuse("a number, text or null for each setting in config", f"{shown(name)}: {shown(value)}", path)
    if history is not None and not isinstance(history, list):
        _refuse("rows of numbers, or null, as history", shown(history), path)
    for row in history or []:
        if not isinstance(row, dict) or not all(type(value) in (int, float) for value in row.values()):
            _refuse("rows of numbers, or null, as history", shown(row), path)
    if about["version"] == 1 and config:
        about["config"] = {**NEW_SETTINGS, **config}
    return about


def read_groups(arrays: Arrays, version: int, path: Path) -> dict[str, Arrays]:
    """Return {name: array} of params, normalisation, optimiser_state, running and correction; some may be empty."""
    state = "velocity" if version == 1 else "optimiser_state"
    groups: dict[str, Arrays] = {name: {} for name in ("params", "normalisation", state, "running", "correction")}
    for name, x in arrays.items():
        group, _, rest = name.partition("/")
        if group in groups and rest:
            groups[group][rest] = x
        elif name != "about":
            _refuse(f"about, and arrays of {', '.join(groups)}", shown(name), path)
        if x.dtype.kind == "f" and group != "normalisation" and not np.isfinite(x).all():
            _refuse(f"finite numbers in {shown(name)}", "NaN or infinity", path)
    groups["optimiser_state"] = groups.pop(state)
    return groups


def read_params(flat: Arrays, path: Path) -> dict:
    """Return parameters as from `init_unet`; raise InputError unless they are those of a U-Net."""
    depth = sum(name.startswith("encode.") and name.endswith(".conv1.weight") for name in flat)
    with _naming(path):
        check_arrays(flat, max(depth, 1))
    return _unflatten(flat)


def read_normalisation(numbers: Arrays, scope: Any, channels: int, path: Path) -> Normalisation:
    """Return the normalisation; `scope` is None in version 1, which did not say it."""
    found = "dataset" if numbers else "image"
    if scope is not None and scope not in SCOPES:
        _refuse(f"normalisation by {' or '.join(SCOPES)}", shown(scope), path)
    if scope not in (None, found):
        _refuse(f"the numbers of the normalisation by {scope}", shown(sorted(numbers)), path)
    with _naming(path):
        normalisation = as_normalisation(numbers or "image")
    if normalisation.mean is not None and len(normalisation.mean) != channels:
        _refuse(f"normalisation of {channels} channels, like the network", str(len(normalisation.mean)), path)
    return normalisation


def read_state(flat: Arrays, params: Arrays, path: Path) -> dict | None:
    """Return the optimiser's state; raise InputError unless it has an array, or two, like each parameter."""
    if not flat:
        return None
    prefixes = frozenset(name[: name.index(".") + 1] if name.startswith(("mean.", "square.")) else "" for name in flat)
    expected = {prefix + name: x for prefix in prefixes for name, x in params.items()}
    if prefixes not in PREFIXES:
        _refuse("an optimiser's state, or mean and square of each parameter", shown(min(flat)), path)
    _check_like(flat, expected, "optimiser_state", "an optimiser's state for each parameter", path)
    for name, x in flat.items():
        if name.startswith("square.") and x.min() < 0:
            _refuse(f"squares in optimiser_state {name}", f"{x.min():.3g}", path)
    return _unflatten(flat)


def read_running(flat: Arrays, params: Arrays, path: Path) -> dict:
    """Return the running averages; raise InputError unless they have a mean and a variance for each normalisation."""
    gammas = {name.removesuffix("gamma"): x for name, x in params.items() if name.endswith(".gamma")}
    expected = {norm + average: x for norm, x in gammas.items() for average in ("mean", "variance")}
    _check_like(flat, expected, "running", "running averages of each normalisation", path)
    for name, x in flat.items():
        if name.endswith(".variance") and x.min() < 0:
            _refuse(f"variances in running {name}", f"{x.min():.3g}", path)
    return _unflatten(flat)


def _check_like(flat: Arrays, expected: Arrays, group: str, what: str, path: Path) -> None:
    """Raise InputError unless a group has the expected names, each with an array of that shape and dtype."""
    for name in (*expected, *flat):
        if name not in expected or name not in flat:
            _refuse(what, f"{shown(name)} {_odd(name, expected)}", path)
        x, like = flat[name], expected[name]
        if (x.shape, x.dtype) != (like.shape, like.dtype):
            _refuse(f"{like.dtype} {like.shape} in {group} {name}", f"{x.dtype} {x.shape}", path)


def read_folded(params: dict, running: dict, path: Path) -> dict:
    """Return the parameters that predict, without batch normalisation; raise InputError if they are not finite."""
    if not running:
        return params
    with np.errstate(over="ignore", invalid="ignore"):
        folded = fold_unet(params, running)
    for name, x in flatten(folded).items():
        if not np.isfinite(x).all():
            _refuse(f"finite numbers in {name} once the batch normalisation is folded in", "NaN or infinity", path)
    return folded


def read_shift(flat: Arrays, params: Arrays, path: Path) -> np.ndarray | None:
    """Return what is subtracted from the head's bias; None without. Raise InputError unless it has the bias's shape."""
    if not flat:
        return None
    x, K = flat.get("head.bias"), len(params["head.bias"])
    if x is None or len(flat) > 1 or x.shape != (K,) or x.dtype.kind != "f":
        got = ", ".join(f"{shown(name)}: {array.dtype} {array.shape}" for name, array in flat.items())
        _refuse(f"head.bias with {K} numbers alone as correction", got, path)
    return x


@contextlib.contextmanager
def _naming(path: Path):
    """Put the file before an error about what it holds."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _refuse(expected: str, got: str, path: Path) -> NoReturn:
    """Raise InputError for a part of a checkpoint."""
    raise InputError(f"{path}: expected {expected}, got {got}; take an intact copy, or train again")


def _odd(name: str, expected: Any) -> str:
    return "missing" if name in expected else "added"


def _parsed(text: np.ndarray, path: Path) -> Any:
    if text.dtype.kind != "U" or text.shape != ():
        _refuse("JSON in about", f"{text.dtype} {text.shape}", path)
    try:
        return json.loads(str(text), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        _refuse("JSON in about, with each name once", f"text that is none ({type(error).__name__})", path)


def _once(pairs: list[tuple[str, Any]]) -> dict:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _unflatten(flat: Arrays) -> Any:
    """Undo `flatten`: names between dots become dicts, numbers become lists."""
    tree: dict = {}
    for name, x in flat.items():
        *path, last = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = x
    return _with_lists(tree)


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    branches = {name: _with_lists(branch) for name, branch in tree.items()}
    if branches and all(name.isdigit() for name in branches):
        return [branches[name] for name in sorted(branches, key=int)]
    return branches
