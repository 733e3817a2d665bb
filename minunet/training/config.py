"""What defines a run: its settings, their defaults, what they may be, and which one counts when several say it.

The reasons for the defaults are in `train.py`.
"""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import is_whole_number
from minunet.data.augment import AUGMENTATIONS
from minunet.data.normalisation import SCOPES
from minunet.data.readers.hold_out import NONE
from minunet.data.readers.masks import MEANINGS
from minunet.data.weighting import KINDS
from minunet.errors import InputError, shown
from minunet.network.checks import MOST_CHANNELS, NORMS, check_numbers
from minunet.network.sizes import DEEPEST, LARGEST_TILE, output_size
from minunet.training.optimisers import OPTIMISERS
from minunet.training.recipes import RECIPES

INITS = ("centred", "he")
CORRECTIONS = ("odds", "none")  # odds: undo what the loss weights do to the odds of each class
LONGEST_PATH = 4096  # characters
READING = (
    "labels",
    "classes",
    "void",
    "invert",
    "hold_out",
    "field_of_interest",
)  # settings that say how data are read
STEPS = 400  # where neither steps nor minutes are given


class Config(NamedTuple):
    """Everything that defines a run; stored in config.json and in the checkpoint.

    ``Config()`` is what `minunet train` takes.
    """

    data: str = "synthetic"
    base_channels: int = 16
    depth: int = 3
    tile: int = 220
    batch: int = 2  # tiles in a step
    steps: int | None = None  # None: 400, unless minutes are given
    minutes: float | None = None  # in place of steps
    device: str = "cpu"
    seed: int = 0
    optimiser: str = "adam"
    learning_rate: float | None = None  # None: the usual one, see `optimisers.py`
    momentum: float = 0.9
    dropout_rate: float = 0.0
    weights: str = "auto"
    correction: str = "odds"  # of the probabilities for the loss weights; see `network/odds_correction.py`
    augmentation: str = "symmetries"
    init: str = "centred"
    normalisation: str = "dataset"
    labels: str = "auto"  # what the masks of folder: mean
    classes: str | None = None  # the values in the masks that are class 0, 1, ...; a run keeps those it has found
    invert: bool = False  # swap cell and background of binary masks
    hold_out: str | None = None  # None: as the reader says, for most the last fifth
    field_of_interest: int | None = None  # pixels at the border of ctc: frames; None: as the challenge says
    norm: str = "batch"
    void: str | None = None  # the values in the masks that are of no class: not learnt, not measured


def resolve(options: Mapping, recipe: str = "quick", stored: Mapping | None = None) -> Config:
    """Return the settings of a run, complete and checked.

    Each of these beats the ones below it:

        options             given by the user; None means that an option is not given
        stored, or recipe   the settings of the run that is continued, or those of the recipe for a new one
        defaults            of `Config`
        for what is still None: 400 steps, unless minutes are given; the usual learning rate

    Steps and minutes are two ways to say one thing, so either given as an option beats both of the recipe.

    Raises
    ------
    InputError
        If there is no such recipe or option, or `check` refuses a value.
    """
    if recipe not in RECIPES:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}, got {recipe!r}; the default is quick")
    unknown = [name for name in options if name not in Config._fields]
    if unknown:
        raise InputError(f"a run has the settings {', '.join(Config._fields)}, got {unknown[0]!r}; check the spelling")
    given = {name: _as_python(value) for name, value in options.items() if value is not None}
    base = dict(RECIPES[recipe] if stored is None else stored)
    if "steps" in given or "minutes" in given:
        base.update(steps=None, minutes=None)
    config = Config(**{**base, **given})
    check(config)
    if config.steps is None and config.minutes is None:
        config = config._replace(steps=STEPS)
    return config._replace(learning_rate=peak_learning_rate(config))


def reading_of(config: Config) -> dict:
    """Return the settings that say how the data are read, for `load_data`."""
    return {name: getattr(config, name) for name in READING}


def peak_learning_rate(config: Config) -> float:
    """Return the learning rate of a run, before its schedule: the given one or, without, the usual one."""
    return usual_learning_rate(config) if config.learning_rate is None else config.learning_rate


def usual_learning_rate(config: Config) -> float:
    """Return the learning rate that goes with the optimiser and the normalisation."""
    optimiser = OPTIMISERS[config.optimiser]
    return optimiser.learning_rate if config.norm == "none" else optimiser.normalised


def norm_of(config: Config) -> str | None:
    """Return the normalisation of a network as `init_unet` takes it."""
    return None if config.norm == "none" else config.norm


class Length(NamedTuple):
    """How long a run is, in steps or in seconds."""

    total: float
    by_steps: bool


def length_of_run(config: Config) -> Length:
    """Return the number of steps or, if minutes are given in their place, of seconds."""
    if config.steps is None and config.minutes is not None:
        return Length(60 * config.minutes, by_steps=False)
    return Length(STEPS if config.steps is None else config.steps, by_steps=True)


def _as_python(value):
    """Return a NumPy scalar as a number of Python, which JSON can hold; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


class Rule(NamedTuple):
    """What a setting may be."""

    allows: Callable[[Any], bool]
    expected: str  # the same in words
    at_most: float = math.inf  # for numbers: more than a machine can take


def _whole_number(at_least: int, at_most: float = math.inf) -> Rule:
    return Rule(lambda x: is_whole_number(x) and x >= at_least, f"a whole number of at least {at_least}", at_most)


def _one_of(words: Iterable[str]) -> Rule:
    return Rule(lambda x: isinstance(x, str) and x in words, f"one of {', '.join(words)}")


def _is_number(x) -> bool:
    return is_whole_number(x) or (isinstance(x, (float, np.floating)) and math.isfinite(x))


def _above_0(at_most: float) -> Rule:
    return Rule(lambda x: _is_number(x) and x > 0, "a number above 0", at_most)


def _can_name_a_folder(x: Any) -> bool:
    try:
        return isinstance(x, str) and 0 < len(x) < LONGEST_PATH and b"\0" not in os.fsencode(x)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold
        return False


SHARE = Rule(lambda x: _is_number(x) and 0 <= x < 1, "a number in [0, 1)")
RULES = {
    "data": Rule(_can_name_a_folder, "a word such as synthetic or folder:DIR"),
    "base_channels": _whole_number(1, at_most=MOST_CHANNELS),
    "depth": _whole_number(1, at_most=DEEPEST),
    "tile": _whole_number(1, at_most=LARGEST_TILE),
    "batch": _whole_number(1, at_most=10**6),
    "steps": _whole_number(1, at_most=10**9),
    "minutes": _above_0(at_most=10**7),  # 19 years
    "device": _one_of(("cpu", "gpu")),
    "seed": _whole_number(0),
    "optimiser": _one_of(OPTIMISERS),
    "learning_rate": _above_0(at_most=1e30),
    "momentum": SHARE,
    "dropout_rate": SHARE,
    "weights": _one_of(KINDS),
    "correction": _one_of(CORRECTIONS),
    "augmentation": _one_of(AUGMENTATIONS),
    "init": _one_of(INITS),
    "normalisation": _one_of(SCOPES),
    "labels": _one_of(MEANINGS),
    "classes": Rule(lambda x: isinstance(x, str) and x != "", "values such as 0,128,255"),
    "invert": Rule(lambda x: isinstance(x, bool), "True or False"),
    "hold_out": Rule(lambda x: isinstance(x, str) and x not in ("", NONE), "a number, a share or names, as text"),
    "field_of_interest": _whole_number(0, at_most=LARGEST_TILE),
    "norm": _one_of(("none", *NORMS)),
    "void": Rule(lambda x: isinstance(x, str) and x != "", "values such as 255"),
}
MAY_BE_NONE = ("steps", "minutes", "learning_rate", "classes", "hold_out", "field_of_interest", "void")


def check(config: Config) -> None:
    """Raise InputError for settings that no run can have."""
    for name, value in config._asdict().items():
        if fault := fault_of(name, value):
            default = Config._field_defaults[name]
            remedy = "leave it out for the default" if default is None else f"the default is {default}"
            raise InputError(f"{fault}; {remedy}")
    if config.steps is not None and config.minutes is not None:
        raise InputError(
            f"a run takes either steps or minutes, got steps={config.steps} and minutes={config.minutes}; "
            "leave one of them out"
        )
    check_numbers(base_channels=config.base_channels, depth=config.depth)
    try:
        output_size(config.tile, config.depth)
    except InputError as error:
        raise InputError(f"tile={config.tile}: {error}") from error  # perhaps it was the depth that was given


def fault_of(name: str, value: Any) -> str | None:
    """Return what is wrong with one setting, or None."""
    rule = RULES[name]
    if value is None and name in MAY_BE_NONE:
        return None
    if not rule.allows(value):
        return f"{name} must be {rule.expected}, got {shown(value)}"
    if rule.at_most < math.inf and value > rule.at_most:
        return f"{name} must be at most {rule.at_most:,}, got {shown(value)}"
    return None
