"""A run goes on from what it was, or says which part of its checkpoint is not: of settings, history, network, state."""

import json
import shutil

import numpy as np
import pytest

from minunet.cli.main import main
from minunet.data import load_data
from minunet.errors import InputError
from minunet.training.config import Config
from minunet.training.run_folder import resume_run, save_run
from minunet.training.stored_run import BEFORE, IN_EVERY_FILE
from minunet.training.train import start

DELETED = object()


@pytest.fixture
def run(tmp_path, finished_run):
    return shutil.copytree(finished_run, tmp_path / "run")


def change(run, about=None, **arrays):
    """Change the checkpoint of a run: its JSON by a function, and arrays by their names with _ for / and ."""
    path = run / "checkpoint.npz"
    with np.load(path) as archive:
        content = dict(archive)
    if about:
        text = json.loads(str(content["about"]))
        about(text)
        content["about"] = np.array(json.dumps(text))
    for name in list(content):
        new = arrays.get(name.replace("/", "_").replace(".", "_"), content[name])
        content[name] = new
        if new is DELETED:
            del content[name]
    np.savez(path, **content)


def of_config(**changes):
    return lambda about: about["config"].update(changes)


def of_row(**changes):
    return lambda about: about["history"][3].update(changes)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (of_config(depth=2**63), "depth must be at most 12, got 9223372036854775808; take an intact copy"),
        (of_config(depth=2, tile=44), "a network of depth 2, as the settings say, got depth 1"),
        (of_config(base_channels=3), r"3 numbers in encode\.0\.norm1\.beta, as the settings say, got 2"),
        (of_config(tile="36"), "tile must be a whole number of at least 1, got '36'"),
        (of_config(tile=37), "input size 37 does not fit depth 1"),
        (of_config(tile=None), "tile must be a whole number of at least 1, got None"),
        (of_config(steps=3, minutes=1.0), "either steps or minutes"),
        (of_config(rate=0.1), "the settings of a run in config, got 'rate' added"),
        (of_config(optimiser="sgd"), "the state of sgd, as the settings say, got that of adam"),
        (of_config(normalisation="image"), "normalisation by image, as the settings say, got that by dataset"),
        (of_config(data="folder:\0"), "data must be a word"),
        (of_config(data="\ud800"), "data must be a word"),
        (of_config(learning_rate=float("nan")), "learning_rate must be a number above 0, got nan"),
        (lambda about: about["config"].pop("seed"), "the settings of a run in config, got 'seed' missing"),
        (lambda about: about.update(config=[1]), r"settings by their names as config, got \[1\]"),
        (of_config(tile={"a": [1]}), r"a number, text or null for each setting in config, got 'tile': {'a': \[1\]}"),
        (lambda about: about.pop("history"), "in about, got 'history' missing"),
        (lambda about: about.update(notes=""), "in about, got 'notes' added"),
        (of_row(step=7), "step 4 in row 4 of the history, got 7"),
        (of_row(loss=float("inf")), "a finite number of at least 0 as loss in row 4 of the history, got inf"),
        (of_row(loss="1"), "rows of numbers, or null, as history, got"),
        (of_row(extra=1), "the columns step, seconds, .* in row 4 of the history"),
        (lambda about: about["history"].insert(2, about["history"][1]), "step 3 in row 3 of the history, got 2"),
        (lambda about: about.update(history={}), "rows of numbers, or null, as history, got {}"),
    ],
)
def test_settings_and_history_that_cannot_be_are_told_with_the_file(run, about, message):
    change(run, about)
    with pytest.raises(InputError, match=rf"checkpoint\.npz: .*{message}"):
        resume_run(run)


@pytest.mark.parametrize("text", ['{"version": 2, "version": 1}', "[" * 100_000, '{"seed": ' + "7" * 5000 + "}", ""])
def test_what_is_no_plain_json_is_told_with_the_file(run, text):
    with np.load(run / "checkpoint.npz") as archive:
        content = dict(archive)
    np.savez(run / "checkpoint.npz", **{**content, "about": np.array(text)})
    with pytest.raises(InputError, match=r"checkpoint\.npz: expected JSON in about, with each name once, got text"):
        resume_run(run)


HEAD = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"params_head_bias": HEAD + np.nan}, r"finite numbers in 'params/head\.bias', got NaN"),
        ({"params_head_bias": DELETED}, r"got head\.bias missing"),
        (
            {"optimiser_state_mean_head_bias": DELETED},
            r"an optimiser's state for each parameter, got 'mean\.head\.bias' missing",
        ),
        ({"optimiser_state_mean_head_bias": np.zeros(3, np.float32)}, r"float32 \(2,\) in optimiser_state mean\.head"),
        ({"optimiser_state_mean_head_bias": np.zeros(2)}, r"got float64 \(2,\)"),
        ({"optimiser_state_square_head_bias": HEAD - 1}, r"squares in optimiser_state square\.head\.bias, got -1"),
        ({"normalisation_std": np.zeros(1, np.float32)}, "a std above 0"),
        ({"normalisation_low": DELETED}, r"mean and std and may have low and high, got \['high', 'mean', 'std'\]"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_told_with_the_file(run, arrays, message):
    change(run, **arrays)
    with pytest.raises(InputError, match=rf"checkpoint\.npz: .*{message}"):
        resume_run(run)


def test_a_checkpoint_as_0_1_0_wrote_it_goes_on(run):
    """Version 1 had a velocity, neither optimiser nor batch among its settings, and no scope of the normalisation."""
    with np.load(run / "checkpoint.npz") as archive:
        content = dict(archive)
    about = json.loads(str(content["about"]))
    about.update(version=1)
    del about["normalisation"], about["config"]["optimiser"], about["config"]["batch"]
    about["config"].update(learning_rate=0.03)
    old = {name: x for name, x in content.items() if not name.startswith("optimiser_state/")}
    velocity = {name.replace("params/", "velocity/"): 0 * x for name, x in old.items() if name.startswith("params/")}
    np.savez(run / "checkpoint.npz", **{**old, **velocity, "about": np.array(json.dumps(about))})
    config = resume_run(run).config
    assert (config.optimiser, config.batch, config.learning_rate) == ("sgd", 1, 0.03)


def test_a_setting_that_came_later_has_in_an_older_file_the_value_that_changes_nothing(
    tmp_path, cells_folder, monkeypatch
):
    config = Config(base_channels=2, depth=1, tile=36, norm="none", data=f"folder:{cells_folder}")
    run = tmp_path / "plain"
    run.mkdir()
    save_run(start(config, load_data(config.data)), run)

    def forget(about):
        about["config"] = {name: about["config"][name] for name in IN_EVERY_FILE}

    kept = resume_run(run).config
    change(run, forget)
    assert resume_run(run).config == kept._replace(**BEFORE)
    monkeypatch.setattr("minunet.training.stored_run.IN_EVERY_FILE", ["data"])
    monkeypatch.setitem(BEFORE, "momentum", 0.5)
    change(run, lambda about: about["config"].pop("momentum"))
    assert resume_run(run).config.momentum == 0.5


def test_a_prediction_needs_no_settings(run, tmp_path, cells_folder):
    change(run, of_config(depth=2**63))
    image = cells_folder / "images" / "cell0.png"
    assert main(["predict", str(run / "checkpoint.npz"), str(image), "--out", str(tmp_path / "out")]) == 0
