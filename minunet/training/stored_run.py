"""A run as a checkpoint holds it: its settings, its history and its optimiser's state, checked against each other.

`load_checkpoint` has checked what every checkpoint must be. Here is what only training knows: what the settings may be,
which network they mean, and what a row of the history has. Whoever goes on from a file asks here, once.

A setting that came after version 0.2.0 is missing in older files. Then it has the value that means what was done before
there was this setting: that in BEFORE or, without, its default. So a new setting needs an entry in BEFORE only if its
default changes what is done.
"""

import math
from pathlib import Path
from typing import Any, NoReturn

from minunet.backend import flatten, is_whole_number
from minunet.errors import InputError, shown
from minunet.network.checks import has_norm
from minunet.network.trained.checkpoint import Checkpoint
from minunet.training.config import Config, check, fault_of

COLUMNS = ("step", "seconds", "wait", "learning_rate", "loss", "validation_error", "majority_error")
ALWAYS = {"step", "seconds", "learning_rate", "loss"}  # wait came after 0.1.0; the errors are measured now and then
REMEDY = "take an intact copy, or start a new run"
IN_EVERY_FILE = (  # the settings of version 0.2.0
    "data base_channels depth tile batch steps minutes device seed optimiser learning_rate momentum dropout_rate "
    "weights augmentation init normalisation"
).split()
BEFORE: dict[str, Any] = {"labels": "guess", "field_of_interest": 0, "norm": "none", "correction": "none"}


def stored_config(stored: Checkpoint, path: str | Path) -> Config:
    """Return the settings in a checkpoint; raise InputError if one is missing, unknown, or cannot be."""
    for name in dict.fromkeys([*IN_EVERY_FILE, *stored.config]):
        if name not in Config._fields:
            _refuse("the settings of a run in config", f"{shown(name)} added", path)
        if name not in stored.config:
            _refuse("the settings of a run in config", f"{shown(name)} missing", path)
        if fault := fault_of(name, stored.config[name]):
            raise InputError(f"{path}: {fault}; {REMEDY}")
    config = Config(**{**BEFORE, **stored.config})
    try:
        check(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return config


def check_stored_run(stored: Checkpoint, path: str | Path) -> Config:
    """Return the settings of a run that goes on; raise InputError unless all that it goes on from fits together."""
    config = stored_config(stored, path)
    _check_widths(stored.params, config, path)
    if has_norm(stored.params) and config.norm == "none":  # the other way round it has been folded
        _refuse("a network with norm none, as the settings say", "one with batch normalisation", path)
    optimiser = "adam" if set(stored.optimiser_state or {}) == {"mean", "square"} else "sgd"
    if optimiser != config.optimiser:
        _refuse(f"the state of {config.optimiser}, as the settings say", f"that of {optimiser}", path)
    scope = stored.network.normalisation.scope
    if scope != config.normalisation:
        _refuse(f"normalisation by {config.normalisation}, as the settings say", f"that by {scope}", path)
    for number, row in enumerate(stored.history or [], start=1):
        _check_row(row, number, path)
    return config


def _check_widths(params: dict, config: Config, path: str | Path) -> None:
    """Raise unless the network is the one that the settings mean; that its arrays fit each other is known."""
    if len(params["encode"]) != config.depth:
        _refuse(f"a network of depth {config.depth}, as the settings say", f"depth {len(params['encode'])}", path)
    for name, x in flatten(params).items():
        if name.endswith((".bias", ".beta")) and name != "head.bias":
            part, level = name.split(".")[:2]
            width = config.base_channels * 2 ** (config.depth if part == "bottom" else int(level))
            if len(x) != width:
                _refuse(f"{width} numbers in {name}, as the settings say", str(len(x)), path)


def _check_row(row: dict, number: int, path: str | Path) -> None:
    where = f"in row {number} of the history"
    if not ALWAYS <= set(row) <= set(COLUMNS) or ("validation_error" in row) != ("majority_error" in row):
        _refuse(f"the columns {', '.join(COLUMNS)} {where}", shown(list(row)), path)
    if row["step"] != number or not is_whole_number(row["step"]):
        _refuse(f"step {number} {where}", shown(row["step"]), path)
    for name in ("seconds", "wait", "learning_rate", "loss"):
        if not 0 <= row.get(name, 0) < math.inf:
            _refuse(f"a finite number of at least 0 as {name} {where}", shown(row[name]), path)


def _refuse(expected: str, got: str, path: str | Path) -> NoReturn:
    raise InputError(f"{path}: expected {expected}, got {got}; take an intact copy, or start a new run")
