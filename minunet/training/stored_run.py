"""A run as a checkpoint holds it: its settings, its history and its optimiser's state, checked against each other.

`load_checkpoint` has checked what every checkpoint must be. Here is what only training knows: what the settings may be,
which network they mean, and what a row of the history has. Whoever goes on from a file asks here, once.
"""

import math
from pathlib import Path

from minunet.backend import flatten, is_whole_number
from minunet.errors import InputError, shown
from minunet.network.trained.checkpoint import Checkpoint
from minunet.training.config import Config, check, fault_of

COLUMNS = ("step", "seconds", "wait", "learning_rate", "loss", "validation_error", "majority_error")
ALWAYS = {"step", "seconds", "learning_rate", "loss"}  # wait came after 0.1.0; the errors are measured now and then
REMEDY = "take an intact copy, or start a new run"


def stored_config(stored: Checkpoint, path: str | Path) -> Config:
    """Return the settings in a checkpoint; raise InputError if one is missing, unknown, or cannot be."""
    names = dict.fromkeys([*Config._fields, *stored.config])
    for name in names:
        if name not in Config._fields or name not in stored.config:
            got = f"{name} missing" if name in Config._fields else f"{shown(name)} added"
            raise InputError(f"expected the settings of a run in {path}, got {got}; {REMEDY}")
        if fault := fault_of(name, stored.config[name]):
            raise InputError(f"{path}: {fault}; {REMEDY}")
    config = Config(**stored.config)
    try:
        check(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return config


def check_stored_run(stored: Checkpoint, path: str | Path) -> Config:
    """Return the settings of a run that goes on; raise InputError unless all that it goes on from fits together."""
    config = stored_config(stored, path)
    _check_widths(stored.network.params, config, path)
    by_adam = set(stored.optimiser_state or {}) == {"mean", "square"}
    if by_adam != (config.optimiser == "adam"):
        got = "mean and square, as of adam" if by_adam else "a velocity, as of sgd"
        raise InputError(f"expected the state of {config.optimiser}, the optimiser, in {path}, got {got}; {REMEDY}")
    if config.normalisation != stored.network.normalisation.scope:
        raise InputError(
            f"expected normalisation by {config.normalisation} in {path}, got that by "
            f"{stored.network.normalisation.scope}; {REMEDY}"
        )
    for number, row in enumerate(stored.history or [], start=1):
        if fault := _fault_of_row(row, number):
            raise InputError(f"expected {fault} in row {number} of the history in {path}, got {shown(row)}; {REMEDY}")
    return config


def _check_widths(params: dict, config: Config, path: str | Path) -> None:
    """Raise unless the network is the one that the settings mean; that its arrays fit each other is known."""
    for name, x in flatten(params).items():
        if name.endswith(".bias") and not name.startswith("head"):
            part, level = name.split(".")[:2]
            width = config.base_channels * 2 ** (config.depth if part == "bottom" else int(level))
            if len(x) != width:
                raise InputError(
                    f"expected {width} channels in {name}, as base_channels {config.base_channels} and depth "
                    f"{config.depth} mean, in {path}, got {len(x)}; {REMEDY}"
                )
    if len(params["encode"]) != config.depth:
        raise InputError(f"expected depth {config.depth} in {path}, got {len(params['encode'])} levels; {REMEDY}")


def _fault_of_row(row: dict, number: int) -> str | None:
    """Return what is expected of a row of the history, and is not so; or None."""
    if not ALWAYS <= set(row) <= set(COLUMNS) or ("validation_error" in row) != ("majority_error" in row):
        return f"the columns {', '.join(COLUMNS)}"
    if row["step"] != number or not is_whole_number(row["step"]):
        return f"step {number}"
    for name in ("seconds", "wait", "learning_rate", "loss"):
        if not (math.isfinite(row.get(name, 0)) and row.get(name, 0) >= 0):
            return f"a finite number of at least 0 as {name}"
    return None
