"""Settings: what a run takes, which of several sources counts, and what is refused."""

import json
import math

import numpy as np
import pytest

from minunet.cli.main import main
from minunet.data import load_data
from minunet.errors import InputError
from minunet.training.config import MAY_BE_NONE, RULES, STEPS, Config, check, resolve
from minunet.training.recipes import RECIPES
from minunet.training.train import start


def test_a_plain_config_is_what_the_command_takes(tmp_path, cells_folder, monkeypatch):
    monkeypatch.setattr("minunet.training.config.STEPS", 2)
    data = f"folder:{cells_folder}"
    assert main(["train", "--data", data, "--tile", "36", "--depth", "1", "--out", str(tmp_path / "run")]) == 0
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    run = start(Config(data=data, tile=36, depth=1), load_data(data))
    assert run.config._asdict() == written
    assert (run.config.optimiser, run.config.learning_rate, run.config.steps) == ("adam", 0.002, 2)


@pytest.mark.parametrize(
    ("options", "recipe", "expected"),
    [
        ({}, "quick", {"optimiser": "adam", "learning_rate": 0.002, "steps": STEPS, "minutes": None}),
        ({"norm": "none"}, "quick", {"optimiser": "adam", "learning_rate": 0.001}),
        ({"optimiser": "sgd"}, "quick", {"optimiser": "sgd", "learning_rate": 0.03}),
        ({"optimiser": "sgd", "learning_rate": 0.1}, "quick", {"learning_rate": 0.1}),
        ({"optimiser": None, "steps": None}, "quick", {"optimiser": "adam", "steps": STEPS}),
        ({"minutes": 2}, "quick", {"minutes": 2, "steps": None}),
        ({}, "paper", {**RECIPES["paper"], "minutes": None}),
        ({"minutes": 2.5}, "paper", {"minutes": 2.5, "steps": None, "base_channels": 64}),
        ({"base_channels": 8, "steps": 7}, "paper", {"base_channels": 8, "depth": 4, "steps": 7}),
        ({"optimiser": "adam"}, "paper", {"optimiser": "adam", "learning_rate": 0.001, "momentum": 0.99}),
    ],
)
def test_options_beat_the_recipe_and_the_recipe_the_defaults(options, recipe, expected):
    found = resolve(options, recipe)._asdict()
    assert {name: found[name] for name in expected} == expected


def test_a_run_that_is_continued_keeps_what_is_not_given():
    stored = resolve({"optimiser": "sgd", "momentum": 0.5, "steps": 10})._asdict()
    assert resolve({}, stored=stored) == Config(**stored)
    assert resolve({"minutes": 1.0}, stored=stored) == Config(**stored)._replace(steps=None, minutes=1.0)
    by_the_clock = resolve({"minutes": 1.0}, stored=stored)._asdict()
    assert resolve({"steps": 20}, stored=by_the_clock) == Config(**stored)._replace(steps=20)


def test_a_complete_configuration_stays_as_it_is():
    for recipe in RECIPES:
        config = resolve({"seed": 3}, recipe)
        assert resolve(config._asdict()) == config


def test_numbers_of_numpy_become_those_of_python():
    config = resolve({"tile": np.int64(220), "learning_rate": np.float32(0.5), "seed": np.uint8(7)})
    assert json.loads(json.dumps(config._asdict())) == config._asdict()
    assert config.tile == 220 and config.learning_rate == 0.5 and config.seed == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": 37}, "input size 37 does not fit depth 1; the nearest valid sizes are 36 and 38"),
        ({"tile": 36.0}, "tile must be a whole number of at least 1, got 36.0; the default is 220"),
        ({"tile": True}, "tile must be a whole number of at least 1, got True"),
        ({"depth": 0}, "depth must be a whole number of at least 1, got 0; the default is 3"),
        ({"depth": "3"}, "depth must be a whole number of at least 1, got '3'"),
        ({"base_channels": 0}, "base_channels must be a whole number of at least 1, got 0; the default is 16"),
        ({"base_channels": math.nan}, "base_channels must be a whole number of at least 1, got nan"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0; leave it out for the default"),
        ({"steps": 2.5}, "steps must be a whole number of at least 1, got 2.5"),
        ({"minutes": 1.0, "steps": 3}, "a run takes either steps or minutes, got steps=3 and minutes=1.0"),
        ({"minutes": math.nan}, "minutes must be a number above 0, got nan"),
        ({"minutes": math.inf}, "minutes must be a number above 0, got inf"),
        ({"learning_rate": -1.0}, "learning_rate must be a number above 0, got -1.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number above 0, got 'fast'"),
        ({"momentum": 1.0}, "momentum must be a number in [0, 1), got 1.0; the default is 0.9"),
        ({"momentum": False}, "momentum must be a number in [0, 1), got False"),
        ({"dropout_rate": 1.5}, "dropout_rate must be a number in [0, 1), got 1.5; the default is 0.0"),
        ({"dropout_rate": math.nan}, "dropout_rate must be a number in [0, 1), got nan"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1; the default is 0"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0, got 1.5"),
        ({"device": "cuda"}, "device must be one of cpu, gpu, got 'cuda'; the default is cpu"),
        ({"device": 0}, "device must be one of cpu, gpu, got 0"),
        ({"augmentation": "plastic"}, "augmentation must be one of symmetries, jitter, elastic, got 'plastic'"),
        ({"weights": "heavy"}, "weights must be one of auto, map, border, light, none, got 'heavy'"),
        ({"weights": ["map"]}, "weights must be one of auto, map, border, light, none, got ['map']"),
        ({"init": "zero"}, "init must be one of centred, he, got 'zero'"),
        ({"optimiser": "lion"}, "optimiser must be one of sgd, adam, got 'lion'; the default is adam"),
        ({"normalisation": "none"}, "normalisation must be one of dataset, image, got 'none'"),
        ({"data": ""}, "data must be a word such as synthetic or folder:DIR, got ''"),
        ({"data": 7}, "data must be a word such as synthetic or folder:DIR, got 7"),
        ({"stepz": 3}, "got 'stepz'; check the spelling"),
    ],
)
def test_a_bad_setting_is_refused(change, message):
    with pytest.raises(InputError) as error:
        resolve({"tile": 36, "depth": 1, **change})
    assert message in str(error.value)


def test_every_setting_has_a_rule_and_none_is_a_setting_for_few():
    assert tuple(RULES) == Config._fields
    for name in Config._fields:
        bad = Config(tile=36, depth=1)._replace(**{name: None})
        if name in MAY_BE_NONE:
            check(bad)
        else:
            with pytest.raises(InputError, match=f"{name} must be"):
                check(bad)


def test_start_refuses_what_check_refuses(cells_folder):
    dataset = load_data(f"folder:{cells_folder}")
    with pytest.raises(InputError, match="seed must be"):
        start(Config(tile=36, depth=1, seed=-1), dataset)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(InputError, match="recipe must be one of quick, paper, got 'slow'"):
        resolve({}, "slow")
