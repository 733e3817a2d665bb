"""What users try first and should not: each is refused in one line, before anything is changed."""

import numpy as np
import pytest

import minunet as m
from minunet import InputError, Network, Normalisation
from minunet.cli.main import main
from minunet.data.normalisation import as_normalisation


@pytest.fixture
def params(rng):
    return m.init_unet(rng, base_channels=2, depth=1)


def test_a_run_cannot_be_resumed_to_fewer_steps_than_it_has(finished_run, capsys):
    before = (finished_run / "config.json").read_text()
    assert main(["train", "--resume", "--out", str(finished_run), "--steps", "9"]) == 2
    assert "steps must be at least the 10 that are done, got 9" in capsys.readouterr().err
    assert (finished_run / "config.json").read_text() == before


@pytest.mark.parametrize("change", ["a branch is missing", "another shape", "the other optimiser's state"])
def test_an_optimiser_changes_nothing_if_the_trees_differ(params, change):
    grads, velocity, moments = m.init_velocity(params), m.init_velocity(params), m.init_moments(params)
    if change == "a branch is missing":
        del grads["head"]["weight"]
    elif change == "another shape":
        grads["head"]["bias"] = np.ones(3, np.float32)
    else:
        velocity, moments = moments, velocity
    before = {name: x.copy() for name, x in m.flatten(params).items()}
    with pytest.raises(InputError, match="must have the structure of params"):
        m.sgd_step(params, grads, velocity, 0.1, 0.9)
    with pytest.raises(InputError, match=r"must have the structure of params|needs moments of mean and square"):
        m.adam_step(params, grads, moments, 0.1, 0.9, 1)
    for name, x in m.flatten(params).items():
        np.testing.assert_array_equal(x, before[name])


def test_adam_counts_its_steps_from_1(params):
    with pytest.raises(InputError, match="a step of at least 1, got mean, square and step 0"):
        m.adam_step(params, params, m.init_moments(params), 0.1, 0.9, 0)


@pytest.mark.parametrize("option", ["--num-classes", "--base-channels", "--in-channels"])
def test_a_summary_is_of_a_network_that_can_be(option, capsys):
    assert main(["summary", option, "0"]) == 2
    assert "must be a whole number of at least 1, got 0" in capsys.readouterr().err


def test_a_normalisation_whose_numbers_contradict_each_other_is_refused():
    one = np.ones(1, np.float32)
    with pytest.raises(InputError, match="low below high"):
        as_normalisation(Normalisation("dataset", one, one, low=9 * one, high=one))
    with pytest.raises(InputError, match="must hold no numbers"):
        as_normalisation(Normalisation("image", one, one))


def test_a_mask_is_an_image_too(params, rng):
    mask = rng.random((30, 40)) > 0.5
    expected = m.predict(Network(params, Normalisation("image")), mask.astype(np.uint8))
    np.testing.assert_array_equal(m.predict(Network(params, Normalisation("image")), mask), expected)


def test_what_is_no_network_is_not_saved_or_loaded(params, tmp_path, finished_run):
    network = Network(params, Normalisation("image"))
    with pytest.raises(InputError, match="needs a path and a Network, got a str and a dict"):
        m.save_network(str(tmp_path / "a.npz"), params)
    with pytest.raises(InputError, match="expected a file in a folder that exists"):
        m.save_network(tmp_path / "missing" / "a.npz", network)
    with pytest.raises(InputError, match="got a NoneType"):
        m.load_network(None)
    with pytest.raises(InputError, match=r"did you mean .*checkpoint\.npz"):
        m.load_network(finished_run)


def test_data_is_no_setting_of_arrays(rng):
    with pytest.raises(InputError, match="train takes images and labels in place of data"):
        m.train([rng.random((60, 60))], [np.eye(60, dtype=int)], data="folder:x")


def test_labels_that_are_no_whole_numbers_are_not_rounded_away(rng):
    halves = np.where(np.eye(60) > 0, 0.5, 0.0)  # astype(uint8) would make background of all of them
    with pytest.raises(InputError, match="take labels > 0"):
        m.train([rng.random((60, 60))], [halves])
