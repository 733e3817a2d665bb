"""What defines a run: its settings, their defaults and what they may be. The reasons are in `train.py`."""

import math
from typing import NamedTuple

from minunet.data.augment import AUGMENTATIONS
from minunet.data.normalisation import SCOPES
from minunet.data.weighting import KINDS
from minunet.errors import InputError
from minunet.network.sizes import output_size
from minunet.training.optimisers import LEARNING_RATES, OPTIMISERS

INITS = ("centred", "he")


class Config(NamedTuple):
    """Everything that defines a run; stored in config.json and in the checkpoint."""

    data: str = "synthetic"
    base_channels: int = 16
    depth: int = 3
    tile: int = 220
    batch: int = 1  # tiles in a step
    steps: int | None = 800
    minutes: float | None = None  # in place of steps
    device: str = "cpu"
    seed: int = 0
    optimiser: str = "sgd"  # the quick recipe, and so `minunet train`, takes adam
    learning_rate: float = LEARNING_RATES["sgd"]
    momentum: float = 0.9
    dropout_rate: float = 0.0
    weights: str = "auto"
    augmentation: str = "symmetries"
    init: str = "centred"
    normalisation: str = "dataset"


def check(config: Config) -> None:
    """Raise InputError for options that no run can have."""
    output_size(config.tile, config.depth)
    for name in ("steps", "minutes", "learning_rate"):
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name.replace('_', ' ')} must be above 0, got {value}; choose a larger number")
    words = {
        "optimiser": OPTIMISERS,
        "weights": KINDS,
        "augmentation": AUGMENTATIONS,
        "init": INITS,
        "normalisation": SCOPES,
    }
    for name, choices in words.items():
        if getattr(config, name) not in choices:
            known, default = ", ".join(choices), Config._field_defaults[name]
            raise InputError(f"{name} must be one of {known}, got {getattr(config, name)!r}; the default is {default}")
    for name in ("momentum", "dropout_rate"):
        value = getattr(config, name)
        if not 0 <= value < 1:
            default = Config._field_defaults[name]
            raise InputError(f"{name.replace('_', ' ')} must be in [0, 1), got {value}; the default is {default}")
    if config.seed < 0:
        raise InputError(f"seed must be at least 0, got {config.seed}; any whole number will do")
    if (config.steps is None) == (config.minutes is None):
        raise InputError(f"a run needs either steps or minutes, got steps={config.steps}, minutes={config.minutes}")
