"""Half a run with batch normalisation, then the plain network: folding changes neither it nor its next step."""

import numpy as np
import pytest
from cells_on_disk import write_cells

from minunet.backend import flatten, map_tree
from minunet.data import load_data
from minunet.training import run_folder
from minunet.training.config import Config
from minunet.training.folding import fold_run
from minunet.training.train import start, train_steps

SMALL = Config(base_channels=4, depth=2, tile=68, steps=8, weights="none", norm="batch")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_data(f"folder:{write_cells(tmp_path_factory.mktemp('cells'))}")._replace(validation=[])


def run_of(dataset, steps, **settings):
    """Return a run of 8 steps, after some of them."""
    run = start(SMALL._replace(**settings), dataset)
    for _, _row in zip(range(steps), train_steps(run, dataset), strict=False):
        pass
    return run


def test_the_second_half_trains_the_plain_network(dataset):
    before, after = run_of(dataset, 4), run_of(dataset, 5)
    assert before.running and any(name.endswith("gamma") for name in flatten(before.params))
    assert not after.running and not any("norm" in name for name in flatten(after.params))
    assert after.network.params is after.params or after.shift.any()
    assert list(flatten(after.optimiser_state["mean"])) == list(flatten(after.params))


def test_folding_leaves_the_predicting_network(dataset):
    run = run_of(dataset, 3)
    expected = map_tree(np.copy, run.network.params)
    fold_run(run.params, run.running, run.optimiser_state)
    for name, x in flatten(expected).items():
        np.testing.assert_array_equal(flatten(run.network.params)[name], x, err_msg=name)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_the_state_is_that_of_the_folded_weights(dataset, optimiser):
    run = run_of(dataset, 3, optimiser=optimiser)
    params, state = run.params, run.optimiser_state
    old, running = flatten(map_tree(np.copy, state)), flatten(map_tree(np.copy, run.running))
    gamma, variance = params["bottom"]["norm1"]["gamma"], running["bottom.norm1.variance"]
    factor = (gamma / np.sqrt(variance + 1e-5))[:, None, None, None]
    fold_run(params, run.running, state)
    new, weight = flatten(state), "bottom.conv1.weight"
    if optimiser == "sgd":
        np.testing.assert_allclose(new[weight], factor * old[weight], rtol=1e-6)
        return
    np.testing.assert_allclose(new[f"mean.{weight}"], old[f"mean.{weight}"] / factor, rtol=1e-6)
    np.testing.assert_allclose(new[f"square.{weight}"], old[f"square.{weight}"] / factor**2, rtol=1e-6)
    np.testing.assert_array_equal(new["mean.decode.1.conv2.bias"], old["mean.decode.1.norm2.beta"])


@pytest.mark.parametrize("done", [2, 4, 6])
def test_a_run_resumed_before_and_after_the_fold_equals_the_whole_one(dataset, tmp_path, done):
    whole = run_of(dataset, 8)
    run_folder.save_run(run_of(dataset, done), tmp_path)
    resumed = run_folder.resume_run(tmp_path)
    list(train_steps(resumed, dataset))
    for name, x in flatten([whole.params, whole.optimiser_state]).items():
        np.testing.assert_array_equal(flatten([resumed.params, resumed.optimiser_state])[name], x, err_msg=name)
