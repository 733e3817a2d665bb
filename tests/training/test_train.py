"""Training: it learns, it can be stopped and resumed bit for bit, and a bad configuration is refused at once."""

import csv
import itertools
import json
import math
import threading

import numpy as np
import pytest
from PIL import Image

from minunet import flatten
from minunet.cli.main import main
from minunet.data import load_data
from minunet.errors import InputError
from minunet.training.config import Config
from minunet.training.health import lower_learning_rate, other_learning_rate
from minunet.training.optimisers import OPTIMISERS, adam_step, init_moments, init_velocity, sgd_step
from minunet.training.run_folder import new_folder, resume_run, save_run
from minunet.training.train import draw_tile, learning_rate, progress, start, train_steps

SMALL = {"base_channels": 2, "depth": 1, "tile": 36, "dropout_rate": 0.2}


@pytest.fixture
def dataset(cells_folder):
    return load_data(f"folder:{cells_folder}")


@pytest.fixture
def config(cells_folder):
    return Config(data=f"folder:{cells_folder}", steps=12, **SMALL)


def trained(run, dataset, steps=math.inf):
    for row in train_steps(run, dataset):
        if row["step"] >= steps:
            break
    return run


def assert_same(a, b):
    a, b = flatten(a), flatten(b)
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], strict=True)


@pytest.mark.parametrize(("label", "found"), [(0, "background"), (1, "cell")])
def test_labels_of_one_class_are_refused_before_anything_is_written(tmp_path, cells_folder, capsys, label, found):
    for path in (cells_folder / "masks").iterdir():
        Image.fromarray(np.full((40, 48), 255 * label, np.uint8)).save(path)
    out = tmp_path / "out"
    assert main(["train", "--data", f"folder:{cells_folder}", "--tile", "36", "--depth", "1", "--out", str(out)]) == 2
    assert f"expected cells and background in the training labels, got only {found}" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("stop", "augmentation", "optimiser"),
    [(1, "elastic", "sgd"), (5, "symmetries", "sgd"), (5, "elastic", "adam"), (11, "elastic", "sgd")],
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path, config, dataset, stop, augmentation, optimiser
):
    config = config._replace(augmentation=augmentation, weights="map", optimiser=optimiser, learning_rate=0.003)
    whole = trained(start(config, dataset), dataset)
    save_run(trained(start(config, dataset), dataset, stop), tmp_path)
    resumed = resume_run(tmp_path)
    assert len(resumed.history) == stop
    trained(resumed, dataset)
    assert_same(resumed.params, whole.params)
    assert_same(resumed.optimiser_state, whole.optimiser_state)
    timeless = [[{**row, "seconds": None, "wait": None} for row in run.history] for run in (resumed, whole)]
    assert timeless[0] == timeless[1]


def test_a_run_that_is_over_trains_no_more_until_given_more_steps(tmp_path, config, dataset):
    save_run(trained(start(config, dataset), dataset), tmp_path)
    assert len(trained(resume_run(tmp_path), dataset).history) == 12
    assert len(trained(resume_run(tmp_path, steps=15), dataset).history) == 15


def test_tiles_drawn_ahead_are_those_of_their_steps(config, dataset, monkeypatch):
    config = config._replace(augmentation="elastic")
    ahead = trained(start(config, dataset), dataset).params
    monkeypatch.setattr(
        "minunet.training.train.prefetch", lambda draw, first: ((draw(n), 0.0) for n in itertools.count(first))
    )
    assert_same(ahead, trained(start(config, dataset), dataset).params)


def test_a_tile_is_drawn_from_the_seed_and_the_step_alone(config, rng):
    planes = [(rng.random((1, 60, 60)), rng.integers(0, 2, (60, 60)), None)]
    for augmentation in ("symmetries", "elastic"):
        config = config._replace(augmentation=augmentation)
        x = draw_tile(config, planes, 5)[0]
        np.testing.assert_array_equal(x, draw_tile(config, planes, 5)[0])
        assert (x != draw_tile(config, planes, 6)[0]).any()
        assert (x != draw_tile(config._replace(seed=1), planes, 5)[0]).any()


def test_no_thread_is_left_when_training_stops(config, dataset):
    def drawing():
        return any(thread.name.startswith("prefetch") for thread in threading.enumerate())

    steps = train_steps(start(config, dataset), dataset)
    next(steps)
    assert drawing()
    steps.close()
    assert not drawing()
    trained(start(config, dataset), dataset)
    assert not drawing()


def test_the_wait_for_each_tile_is_logged(config, dataset, monkeypatch):
    def slow(draw, first):
        return ((draw(n), 0.25 * n) for n in itertools.count(first))

    monkeypatch.setattr("minunet.training.train.prefetch", slow)
    run = trained(start(config, dataset), dataset, 3)
    assert [row["wait"] for row in run.history] == [0.0, 0.25, 0.5]


def test_seeds_differ_and_repeat(config, dataset):
    first, again, other = (trained(start(config._replace(seed=seed), dataset), dataset, 3).params for seed in (1, 1, 2))
    assert_same(first, again)
    assert (first["head"]["weight"] != other["head"]["weight"]).any()


def test_the_loss_falls_and_the_network_beats_the_majority(config, dataset):
    config = config._replace(steps=150, dropout_rate=0.0, base_channels=4, optimiser="sgd")
    run = trained(start(config, dataset), dataset)
    losses = [row["loss"] for row in run.history]
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    assert run.history[-1]["validation_error"] < 0.5 * run.history[-1]["majority_error"]


def test_held_out_images_are_looked_at_ten_times_and_at_the_end(config, dataset):
    run = trained(start(config._replace(steps=40), dataset), dataset)
    assert [row["step"] for row in run.history if "validation_error" in row] == list(range(4, 41, 4))


@pytest.mark.filterwarnings("ignore:after step")  # that it has learned nothing so far
def test_a_time_limit_ends_the_run(config, dataset):
    run = trained(start(config._replace(steps=None, minutes=0.02), dataset), dataset)
    assert run.history[-1]["seconds"] >= 1.2
    assert run.history[-2]["seconds"] < 1.2


def test_the_learning_rate_warms_up_and_falls_to_zero():
    config = Config(steps=1000, learning_rate=0.5)
    rates = [learning_rate(config, step, step / 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(0.5 / 50)
    assert max(rates) == pytest.approx(0.5, rel=0.01)
    assert rates[500] == pytest.approx(0.25)
    assert rates[1000] == pytest.approx(0)
    assert (np.diff(rates[50:]) < 0).all()


def test_the_schedule_is_a_parameter(config, dataset):
    run, asked = start(config, dataset), []

    def schedule(config, step, done):
        asked.append((step, done))
        return 0.001 * (step + 1)

    list(train_steps(run, dataset, schedule=schedule))
    assert [row["learning_rate"] for row in run.history] == [0.001 * (step + 1) for step in range(12)]
    assert asked == [(step, step / 12) for step in range(12)]


def test_the_learning_rate_is_the_optimisers_own_where_none_is_given():
    assert learning_rate(Config(optimiser="adam"), 49, 0.0) == 0.002
    assert learning_rate(Config(optimiser="adam", norm="none"), 49, 0.0) == 0.001
    assert learning_rate(Config(optimiser="sgd"), 49, 0.0) == 0.03
    assert learning_rate(Config(optimiser="sgd", learning_rate=0.5), 49, 0.0) == 0.5


def test_without_held_out_images_a_run_goes_on_to_its_end(config, dataset):
    run = trained(start(config, dataset), dataset._replace(validation=[]))
    assert len(run.history) == 12 and all("validation_error" not in row for row in run.history)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimisers_record_says_what_its_state_holds(name, small_unet):
    state = flatten(OPTIMISERS[name].init(small_unet))
    assert len(state) == OPTIMISERS[name].state_arrays * len(flatten(small_unet))
    assert OPTIMISERS[name].name == name


def test_progress_is_by_steps_or_by_the_clock():
    row = {"seconds": 30.0}
    assert progress(Config(steps=4), [row]) == 0.25
    assert progress(Config(steps=None, minutes=2), [row]) == 0.25
    assert progress(Config(steps=4), [row] * 9) == 1


def test_sgd_by_hand():
    params, grads = {"weight": np.array([1.0, 2.0])}, {"weight": np.array([0.5, -1.0])}
    velocity = init_velocity(params)
    sgd_step(params, grads, velocity, learning_rate=0.1, momentum=0.9)
    np.testing.assert_allclose(params["weight"], [0.95, 2.1])
    sgd_step(params, grads, velocity, learning_rate=0.1, momentum=0.9)  # velocity 0.9 * (0.5, -1) + (0.5, -1)
    np.testing.assert_allclose(params["weight"], [0.95 - 0.095, 2.1 + 0.19])
    np.testing.assert_allclose(grads["weight"], [0.5, -1.0])


def test_adam_by_hand():
    params, grads = {"weight": np.array([1.0, 2.0])}, {"weight": np.array([0.5, -100.0])}
    moments = init_moments(params)
    adam_step(params, grads, moments, learning_rate=0.1, momentum=0.9, step=1)
    np.testing.assert_allclose(params["weight"], [0.9, 2.1], rtol=1e-7)  # by the learning rate, whatever the gradient
    grads = {"weight": np.array([0.0, 100.0])}
    adam_step(params, grads, moments, learning_rate=0.1, momentum=0.9, step=2)
    # means 0.09 * 0.5 and 0.09 * -100 + 0.1 * 100 over 0.19; squares 0.000999 * 0.25 and 0.001999 * 1e4 over 0.001999
    moved = 0.1 * np.array([0.045 / 0.19 / np.sqrt(0.00024975 / 0.001999), 1 / 0.19 / 100])
    np.testing.assert_allclose(params["weight"], np.array([0.9, 2.1]) - moved, rtol=1e-7)
    np.testing.assert_allclose(grads["weight"], [0.0, 100.0])


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("options", "optimiser", "rate"),
    [
        ([], "adam", 0.002),
        (["--norm", "none"], "adam", 0.001),
        (["--optimiser", "sgd"], "sgd", 0.03),
        (["--learning-rate", "0.002"], "adam", 0.002),
        (["--recipe", "paper"], "sgd", 0.001),
        (["--recipe", "paper", "--optimiser", "adam"], "adam", 0.001),
    ],
)
def test_the_optimiser_and_its_learning_rate(tmp_path, cells_folder, options, optimiser, rate):
    small = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "1"]
    assert main(["train", "--data", f"folder:{cells_folder}", *small, *options, "--out", str(tmp_path / "run")]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["optimiser"], config["learning_rate"]) == (optimiser, rate)
    assert config["batch"] == (1 if "paper" in options else 2)


def test_a_run_counts_adams_steps_from_one_and_goes_on_when_resumed(tmp_path, monkeypatch, config, dataset):
    counts = []
    monkeypatch.setattr("minunet.training.train.take_step", lambda *args: counts.append(args[-1]))
    save_run(trained(start(config._replace(optimiser="adam"), dataset), dataset, 2), tmp_path)
    trained(resume_run(tmp_path), dataset, 1)
    assert counts == [1, 2, 3]


def test_a_run_folder_holds_its_files(tmp_path, config, dataset):
    run = trained(start(config, dataset), dataset)
    (tmp_path / "run").mkdir()
    save_run(run, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == run.config._asdict()
    with open(tmp_path / "run" / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in run.history]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.npz",
        "config.json",
        "curves.png",
        "log.csv",
    ]


def test_default_folders_are_numbered(tmp_path):
    for number in (1, 2):
        with new_folder(None, str(tmp_path / "runs" / "cells")) as folder:
            assert folder == tmp_path / "runs" / f"cells-{number}"
            (folder / "checkpoint.npz").write_text("")


def test_a_loss_that_explodes_stops_the_run_with_a_remedy(config, dataset):
    message = r"got \S+ at step \d+, where \w\S+ is the first layer out of range.*; try learning_rate="
    with pytest.raises(InputError, match=message):
        trained(start(config._replace(learning_rate=1e5), dataset), dataset)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"learning_rate": 1e30}, "learning_rate=0.002, which is usual for adam, in place of 1e+30"),
        ({"learning_rate": 0.3, "momentum": 0.99}, "learning_rate=0.002, which is usual for adam, in place of 0.3"),
        ({"optimiser": "sgd", "learning_rate": 0.3}, "learning_rate=0.03, which is usual for sgd and momentum 0.9"),
        (
            {"optimiser": "sgd", "learning_rate": 0.03, "momentum": 0.99},
            "learning_rate=0.003, which is usual for sgd and momentum 0.99, in place of 0.03",
        ),
        ({"optimiser": "sgd", "learning_rate": 0.03}, "try a tenth of the learning rate, learning_rate=0.003"),
        ({}, "try a tenth of the learning rate, learning_rate=0.0002"),
    ],
)
def test_the_remedy_for_a_loss_that_explodes_depends_on_the_rate(settings, remedy):
    assert remedy in lower_learning_rate(Config(**settings))
    assert remedy in other_learning_rate(Config(**settings))


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"learning_rate": 1e-9}, "try learning_rate=0.002, which is usual for adam, in place of 1e-09"),
        (
            {"optimiser": "sgd", "learning_rate": 1e-4, "momentum": 0.99},
            "try learning_rate=0.003, which is usual for sgd and momentum 0.99, in place of 0.0001",
        ),
    ],
)
def test_after_a_rate_far_too_small_the_usual_one_is_the_remedy(settings, remedy):
    assert other_learning_rate(Config(**settings)) == remedy
    assert "a tenth" in lower_learning_rate(Config(**settings))  # if the loss has exploded all the same
