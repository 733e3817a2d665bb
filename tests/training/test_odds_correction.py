"""Probabilities without what the loss weights do to them: by hand, and on images of noise."""

import numpy as np
import pytest

from minunet import flatten, load_network, predict
from minunet.data import Dataset, Sample, weight_map
from minunet.network.odds_correction import corrected, shift_of_logits
from minunet.training.config import Config, resolve
from minunet.training.run_folder import resume_run, save_run
from minunet.training.stored_run import BEFORE
from minunet.training.train import start, train_steps

SMALL = {"base_channels": 2, "depth": 1, "tile": 52, "weights": "map", "norm": "none"}


def sample(labels, instances=None):
    return Sample("a", np.zeros((1, *labels.shape), np.float32), labels, instances)


def test_the_shift_is_the_log_of_each_classs_mean_weight():
    labels = np.array([[0, 0, 1, 2]], np.uint8)
    first, second = np.array([[2.0, 0.0, 8.0, 1.0]]), None  # weight 0: not known
    shift = shift_of_logits([sample(labels), sample(labels)], [first, second], num_classes=4)
    np.testing.assert_allclose(shift, np.log([4 / 3, 9 / 2, 1, 1]))  # of class 3 there is no pixel


def test_where_no_border_counts_the_shift_is_that_of_the_balanced_classes():
    cells = np.zeros((20, 30), np.int32)
    cells[4:8, 5:14] = 1  # 36 of 600 pixels, and no other cell
    labels = (cells > 0).astype(np.uint8)
    shift = shift_of_logits([sample(labels, cells)], [weight_map(cells)], 2)
    np.testing.assert_allclose(shift[1] - shift[0], np.log((600 - 36) / 36), rtol=1e-6)


def test_the_probabilities_are_the_odds_without_the_weights(small_unet):
    image, shift = np.random.default_rng(0).standard_normal((20, 20)).astype(np.float32), np.log([1.0, 8.0, 0.5])
    p, q = predict(small_unet, image), predict(corrected(small_unet, shift), image)
    np.testing.assert_allclose(q[1] / q[0], p[1] / p[0] / 8, rtol=1e-4)
    np.testing.assert_allclose(q[2] / q[0], p[2] / p[0] / 0.5, rtol=1e-4)
    assert corrected(small_unet, None) is small_unet and corrected(small_unet, np.zeros(3)) is small_unet


@pytest.fixture(scope="module")
def dataset():
    """Images of noise, of which a tenth of the pixels is cell, whatever their grey values."""
    rng = np.random.default_rng(0)
    cells = np.kron(rng.random((20, 20)) < 0.1, np.ones((4, 4), int))
    labels = cells.astype(np.uint8)
    train = [Sample(str(i), rng.random((1, 80, 80), np.float32), labels, None) for i in range(2)]
    return Dataset("noise", train, [], 2)


@pytest.fixture(scope="module")
def run(dataset):
    run = start(resolve({"data": "arrays", "steps": 80, "learning_rate": 0.01, **SMALL}), dataset)
    for _ in train_steps(run, dataset):
        pass
    return run


def test_a_network_that_cannot_know_calls_a_cell_as_probable_as_cells_are(run, dataset):
    share = np.mean([s.labels.mean() for s in dataset.train])
    corrected_p, p = (predict(n, dataset.train[0].image)[1].mean() for n in (run.network, _uncorrected(run)))
    assert p > 2 * share
    assert corrected_p == pytest.approx(share, abs=0.03)


def _uncorrected(run):
    return run.network._replace(params=run.params)


def test_a_stored_network_is_corrected_and_the_run_goes_on_uncorrected(run, tmp_path):
    save_run(run, tmp_path)
    np.testing.assert_array_equal(
        load_network(tmp_path / "checkpoint.npz").params["head"]["bias"], run.network.params["head"]["bias"]
    )
    resumed = resume_run(tmp_path)
    for name, x in flatten(run.params).items():
        np.testing.assert_array_equal(flatten(resumed.params)[name], x, strict=True)


def test_without_correction_the_network_is_the_runs_own(dataset):
    run = start(resolve({"data": "arrays", "steps": 1, "correction": "none", **SMALL}), dataset)
    list(train_steps(run, dataset))
    assert run.network.params is run.params
    assert Config().correction == "odds" and BEFORE["correction"] == "none"  # an older file says nothing
