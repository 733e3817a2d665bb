"""Batches: the mean of the gradients of their tiles, in an order that does not depend on who computes them."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import flatten
from minunet.data import load_data
from minunet.errors import InputError
from minunet.fast import thresholds
from minunet.network.unet import unet_forward
from minunet.training.batch import ALONE, Ranks, check_batch, mean_gradient, pairwise_sum, stacked, together
from minunet.training.config import Config
from minunet.training.gradient import gradient_of
from minunet.training.train import batch_step, draw_tile, start, train_steps


@pytest.fixture
def dataset(cells_folder):
    return load_data(f"folder:{cells_folder}")


def test_a_batch_is_the_mean_of_its_tiles(dataset):
    small = {"base_channels": 2, "depth": 1, "tile": 36, "norm": "none"}
    config = Config(**small, batch=3, steps=2, optimiser="sgd", dropout_rate=0.2)
    run, by_hand = start(config, dataset), start(config, dataset)
    planes = [(sample.image, sample.labels, None) for sample in dataset.train]
    tiles = [draw_tile(config, planes, number) for number in (3, 4, 5)]  # of step 1
    loss = batch_step(run, tiles, step=1, rate=0.1)
    before = by_hand.config, by_hand.params
    losses, grads, _ = zip(*(gradient_of(*before, stacked([tile]), 3 + i) for i, tile in enumerate(tiles)), strict=True)
    assert float(loss) == pytest.approx(float(np.mean(losses)))
    for name, weight in flatten(by_hand.params).items():
        moved = weight - 0.1 * np.mean([flatten(gradient)[name] for gradient in grads], axis=0)
        np.testing.assert_allclose(flatten(run.params)[name], moved, rtol=1e-5, atol=1e-6)


def test_normalised_tiles_go_through_the_network_in_pairs(dataset):
    config = Config(base_channels=2, depth=1, tile=36, batch=4, steps=2, optimiser="sgd")
    run, by_hand = start(config, dataset), start(config, dataset)
    planes = [(sample.image, sample.labels, None) for sample in dataset.train]
    tiles = [draw_tile(config, planes, number) for number in range(4)]
    loss = batch_step(run, tiles, step=0, rate=0.1)
    pairs = [gradient_of(by_hand.config, by_hand.params, stacked(tiles[i : i + 2]), i) for i in (0, 2)]
    assert float(loss) == pytest.approx(float(np.mean([pair[0] for pair in pairs])))
    for name, average in flatten(run.running).items():
        mean = np.mean([flatten(pair[2])[name] for pair in pairs], axis=0)
        np.testing.assert_allclose(average, mean, rtol=1e-5, err_msg=name)
    first, second = (unet_forward(by_hand.params, tiles[i][0][None])[0] for i in (0, 1))
    both, _ = unet_forward(by_hand.params, stacked(tiles[:2])[0])
    assert not np.allclose(both[0], first[0], atol=1e-3) and not np.allclose(both[1], second[0], atol=1e-3)


def test_how_many_tiles_go_together():
    assert [together(count, is_normalised=True) for count in (1, 2, 3, 4)] == [1, 2, 1, 2]
    assert together(4, is_normalised=False) == 1


def test_stacked_tiles_without_weights_beside_some_with_weigh_1(rng):
    images, labels = rng.random((2, 1, 5, 6), np.float32), rng.integers(0, 2, (2, 3, 4))
    weights = rng.random((3, 4), np.float32)
    x, y, w = stacked([(images[0], labels[0], None), (images[1], labels[1], weights)])
    np.testing.assert_array_equal(x, images)
    np.testing.assert_array_equal(y, labels)
    np.testing.assert_array_equal(w, [np.ones((3, 4)), weights])
    assert w.dtype == np.float32 and stacked([(images[0], labels[0], None)] * 2)[2] is None


@pytest.mark.parametrize("largest", [0, 10**9], ids=["in turn", "side by side"])
def test_the_number_of_threads_changes_no_bit(dataset, monkeypatch, largest):
    monkeypatch.setattr(thresholds, "SIDE_BY_SIDE", largest)
    config = Config(base_channels=16, depth=1, tile=68, batch=5, steps=2, dropout_rate=0.2)
    results = []
    for threads in (1, 2, 3):
        run = start(config, dataset)
        with threadpool_limits(threads, "blas"):
            losses = [row["loss"] for row in train_steps(run, dataset._replace(validation=[]))]
        results.append((losses, flatten(run.params)))
    for losses, params in results[1:]:
        assert losses == results[0][0]
        for name, expected in results[0][1].items():
            np.testing.assert_array_equal(params[name], expected, err_msg=name)


def test_each_tile_of_a_run_is_drawn_once(dataset):
    seen = [set(Ranks(rank, 3).tiles(step, batch=6)) for step, rank in itertools.product(range(4), range(3))]
    assert set.union(*seen) == set(range(24)) and sum(map(len, seen)) == 24


@pytest.mark.parametrize("share", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_sum_does_not_depend_on_who_adds(rng, count, share):
    vectors = list(rng.standard_normal((count * share, 100)) * 10.0 ** rng.integers(-8, 8, (count * share, 1)))
    expected = np.sum(vectors, axis=0)
    total = pairwise_sum([vector.copy() for vector in vectors])
    parts = [pairwise_sum(vectors[rank * share : (rank + 1) * share]) for rank in range(count)]
    np.testing.assert_array_equal(pairwise_sum(parts), total)
    np.testing.assert_allclose(total, expected, rtol=1e-9, atol=1e-6)


def test_the_mean_keeps_names_and_shapes(rng):
    grads = [{"b": rng.random((2, 3)), "a": [rng.random(4), rng.random(())]} for _ in range(2)]
    loss, mean = mean_gradient([(np.array(1.0), grads[0]), (np.array(2.0), grads[1])], ALONE)
    assert loss == 1.5 and list(mean) == ["b", "a.0", "a.1"]
    np.testing.assert_array_equal(mean["b"], (grads[0]["b"] + grads[1]["b"]) / 2)
    assert mean["a.1"].shape == ()


def test_a_batch_that_cannot_be_shared():
    check_batch(6, Ranks(0, 3))
    with pytest.raises(
        InputError, match="a batch of 6 must be shared equally by the processes, got 4; start 1, 2, 3, 6 of"
    ):
        check_batch(6, Ranks(0, 4))
    check_batch(6, Ranks(0, 3), is_normalised=True)
    with pytest.raises(
        InputError,
        match=r"a batch of 6, 3 pairs of tiles, must be shared equally .*, got 2; start 1, 3 of",
    ):
        check_batch(6, Ranks(0, 2), is_normalised=True)


def test_a_run_with_batches_learns(dataset):
    config = Config(base_channels=2, depth=1, tile=36, batch=4, steps=30)
    losses = [row["loss"] for row in train_steps(start(config, dataset), dataset)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
