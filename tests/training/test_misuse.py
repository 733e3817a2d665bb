"""What users try first and should not: each is refused in one line, before anything is changed."""

import json

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
    for step in (0, 1.0, None, True):
        with pytest.raises(InputError, match=f"a step of at least 1, got step={step}"):
            m.adam_step(params, params, m.init_moments(params), 0.1, 0.9, step)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_adam_leaves_a_weight_without_a_gradient_alone(dtype):
    """In float16 the 1e-8 that keeps it from dividing by 0 is 0."""
    params, grads = {"a": np.ones(2, dtype)}, {"a": np.array([0, 1], dtype)}
    m.adam_step(params, grads, m.init_moments(params), 0.25, 0.9, 1)
    np.testing.assert_allclose(params["a"], [1, 0.75], rtol=1e-3)


@pytest.mark.parametrize("odd", [None, {}, [], "x", 1, {"a": [1.0]}, {"a": np.ones(2, int)}])
def test_an_optimiser_names_the_tree_that_is_none(params, odd):
    moments = m.init_moments(params)
    for name, step in {
        "params must be": lambda: m.adam_step(odd, params, moments, 0.1, 0.9, 1),
        "grads must have": lambda: m.adam_step(params, odd, moments, 0.1, 0.9, 1),
        "moments of mean and square": lambda: m.adam_step(params, params, odd, 0.1, 0.9, 1),
        r"moments\['square'\] must": lambda: m.adam_step(params, params, {**moments, "square": odd}, 0.1, 0.9, 1),
        "velocity must have": lambda: m.sgd_step(params, params, odd, 0.1, 0.9),
        "params must be a tree": lambda: m.init_velocity(odd),
        "params must be a tree of": lambda: m.init_moments(odd),
    }.items():
        with pytest.raises(InputError, match=name):
            step()


@pytest.mark.parametrize("odd", [None, "0.1", float("nan"), np.array([1, 2])])
def test_an_optimiser_names_the_number_that_is_none(params, odd):
    state, moments = m.init_velocity(params), m.init_moments(params)
    for name, step in {
        "sgd_step needs a learning_rate": lambda: m.sgd_step(params, params, state, odd, 0.9),
        "sgd_step needs a momentum": lambda: m.sgd_step(params, params, state, 0.1, odd),
        "adam_step needs a learning_rate": lambda: m.adam_step(params, params, moments, odd, 0.9, 1),
        "adam_step needs a momentum": lambda: m.adam_step(params, params, moments, 0.1, odd, 1),
    }.items():
        with pytest.raises(InputError, match=name):
            step()
    with pytest.raises(InputError, match=r"a momentum in \[0, 1\), got 1"):  # Adam would divide by 1 - 1
        m.adam_step(params, params, moments, 0.1, 1, 1)
    with pytest.raises(InputError, match=r"a momentum in \[0, 1\), got -0.5"):
        m.sgd_step(params, params, state, 0.1, -0.5)
    m.sgd_step(params, params, state, -0.1, 0.9)  # uphill


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


def broken(params, change):
    """Return a copy of the parameters of which one thing is changed."""
    params = m.backend.map_tree(np.copy, params)
    change(params)
    return params


BROKEN = {
    "without head": lambda p: p.pop("head"),
    "encode.0.conv1.bias missing": lambda p: p["encode"][0]["conv1"].pop("bias"),
    "decode.0.up.weight missing": lambda p: p["decode"].pop(),
    "got 'notes' added": lambda p: p.update(notes=np.ones(2)),
    r"\(2,\) in head.bias, got float32 \(3,\)": lambda p: p["head"].update(bias=np.ones(3, np.float32)),
    r"\(2,\) in head.bias, got int64 \(2,\)": lambda p: p["head"].update(bias=np.ones(2, np.int64)),
    r"\(4, 2, 3, 3\) in bottom.conv1.weight": lambda p: p["bottom"]["conv1"].update(weight=np.ones((4, 1, 3, 3))),
}


@pytest.mark.parametrize("message", BROKEN)
def test_parameters_that_are_no_network_are_shown_but_not_saved_or_used(params, tmp_path, rng, message):
    network = Network(broken(params, BROKEN[message]), "image")
    assert repr(network).startswith("Network(not usable: ")
    with pytest.raises(InputError, match=message):
        m.save_network(tmp_path / "a.npz", network)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        m.predict(network, rng.random((20, 20)))


@pytest.mark.parametrize("empty", [{}, None, [], "cells"])
def test_a_network_of_nothing_is_shown_but_not_saved(empty, tmp_path):
    assert repr(Network(empty, "image")).startswith("Network(not usable: network must be a Network")
    with pytest.raises(InputError, match="network must be a Network"):
        m.save_network(tmp_path / "a.npz", Network(empty, "image"))


def test_a_file_of_which_something_is_missing_is_not_loaded(params, tmp_path):
    path = tmp_path / "a.npz"
    m.save_network(path, Network(params, "image"))
    with np.load(path) as archive:
        whole = dict(archive)
    about = json.loads(str(whole["about"]))
    parts = {name: x for name, x in whole.items() if name != "params/head.bias"}
    no_version = {name: x for name, x in about.items() if name != "version"}
    for content, message in (
        (parts, "head.bias missing"),
        ({**whole, "about": np.array(json.dumps(no_version))}, "another program"),
        ({**whole, "about": np.array(json.dumps({**about, "version": "two"}))}, "another program"),
    ):
        np.savez(path, **content)
        with pytest.raises(InputError, match=message):
            m.load_network(path)


def test_data_is_no_setting_of_arrays(rng):
    with pytest.raises(InputError, match="train takes images and labels in place of data"):
        m.train([rng.random((60, 60))], [np.eye(60, dtype=int)], data="folder:x")


def test_labels_that_are_no_whole_numbers_are_not_rounded_away(rng):
    halves = np.where(np.eye(60) > 0, 0.5, 0.0)  # astype(uint8) would make background of all of them
    with pytest.raises(InputError, match="take labels > 0"):
        m.train([rng.random((60, 60))], [halves])
