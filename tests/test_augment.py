"""Augmentation: image, labels and weights are bent, turned and mirrored alike, and a seed draws the same again."""

import numpy as np
import pytest

from minunet import InputError, elastic_deform
from minunet.data import augmented_tile
from minunet.data.augment import NODES, Strength, displacement

STILL = Strength(elastic=0, rotation=False, gain=0, offset=0)


@pytest.fixture
def waves():
    """A smooth image: interpolation between its pixels is nearly exact, so what is read tells where it was read."""
    ys, xs = np.mgrid[:90, :120]
    return np.sin(ys / 7) + np.cos(xs / 9 + ys / 20)


def tile_of(image, labels, weights, seed=0, strength=STILL, tile=(52, 44), output=(32, 24)):
    return augmented_tile(image, labels, weights, np.random.default_rng(seed), tile, output, strength)


def test_no_displacement_changes_nothing(rng, waves):
    labels = rng.integers(0, 5, waves.shape)
    image, same = elastic_deform(waves, labels, rng, std=0)
    np.testing.assert_array_equal(image, waves)
    np.testing.assert_array_equal(same, labels)


def test_labels_keep_their_values_and_go_with_the_image(rng, waves):
    labels = (7 * (waves > 0.3) + 200 * (waves < -0.5)).astype(np.uint8)
    image, bent = elastic_deform(np.stack([waves, 2 * waves]), labels, rng)
    assert image.shape == (2, *waves.shape) and bent.dtype == np.uint8 and set(np.unique(bent)) == {0, 7, 200}
    np.testing.assert_allclose(image[1], 2 * image[0], atol=1e-9)
    assert np.mean(bent != labels) > 0.1  # it did bend
    assert np.mean((bent == 7) == (image[0] > 0.3)) > 0.97  # but for half a pixel at the edges
    assert np.mean((bent == 200) == (image[0] < -0.5)) > 0.97


def test_nodes_are_gaussian_and_met_exactly():
    nodes = np.random.default_rng(0).normal(size=(2, 3, 3))
    at_nodes = displacement(nodes, np.arange(3.0), np.arange(3.0))
    np.testing.assert_allclose(at_nodes, nodes, atol=1e-12)
    fields = [np.random.default_rng(seed) for seed in range(300)]
    zeros = np.zeros((33, 33), int)
    rows = np.indices((33, 33))[0].astype(float)
    moved = [elastic_deform(rows, zeros, rng, std=2.0)[0][16, 16] - 16 for rng in fields]  # at the middle node
    assert np.std(moved) == pytest.approx(2.0, rel=0.15) and abs(np.mean(moved)) < 0.4


@pytest.mark.parametrize("seed", range(6))
def test_a_tile_of_no_strength_is_a_window_in_one_of_eight_symmetries(rng, seed):
    image = rng.standard_normal((1, 40, 50))
    labels, weights = rng.integers(0, 9, (40, 50)), rng.random((40, 50))
    x, tile_labels, tile_weights = tile_of(image, labels, weights, seed, tile=(28, 28), output=(8, 8))
    assert x.shape == (1, 28, 28)
    symmetries = [np.rot90(m, k) for m in (tile_labels, tile_labels[::-1]) for k in range(4)]
    places = [
        (top, left, s)
        for s in range(8)
        for top in range(33)
        for left in range(43)
        if (labels[top : top + 8, left : left + 8] == symmetries[s]).all()
    ]
    assert len(places) == 1
    top, left, s = places[0]
    undone = [np.rot90(m, s % 4) for m in (tile_weights, tile_weights[::-1])][s // 4]
    np.testing.assert_allclose(undone, weights[top : top + 8, left : left + 8], atol=1e-9)
    middle = x[0, 10:18, 10:18]
    middle = [np.rot90(m, s % 4) for m in (middle, middle[::-1])][s // 4]
    np.testing.assert_allclose(middle, image[0, top : top + 8, left : left + 8], atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_image_labels_and_weights_stay_aligned(waves, seed):
    strength = Strength(gain=0, offset=0)
    x, labels, weights = tile_of(waves[None], (waves > 0.3).astype(np.uint8), waves, seed, strength)
    middle = x[0, 10:42, 10:34]
    assert labels.shape == weights.shape == middle.shape == (32, 24)
    np.testing.assert_allclose(weights, middle, atol=0.04)  # linear beside cubic interpolation
    assert np.mean(labels == (middle > 0.3)) > 0.95


def test_grey_values_change_by_a_gain_and_an_offset_alone(waves):
    labels = np.zeros(waves.shape, np.uint8)
    plain, _, _ = tile_of(waves[None], labels, None, strength=Strength(gain=0, offset=0))
    grey, _, weights = tile_of(waves[None], labels, None)
    other, _, _ = tile_of(waves[None], labels, None, strength=Strength(gain=0.5, offset=0.5))
    assert weights is None and grey.dtype == waves.dtype
    gain, offset = np.polyfit(plain.ravel(), other.ravel(), 1)
    np.testing.assert_allclose(gain * plain + offset, other, atol=1e-9)
    assert abs(gain - 1) > 0.01 and abs(offset) > 0.01


def test_a_small_tile_is_bent_no_more_than_the_paper_s(waves):
    """Over 44 of 512 pixels the displacement hardly changes; a 3x3 grid on the tile itself would wring it."""
    spreads = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        nodes = 10 * rng.standard_normal((2, NODES, NODES))
        window = displacement(nodes, 1 + np.arange(44) / 255.5, 1 + np.arange(44) / 255.5)
        spreads.append(np.ptp(window, axis=(1, 2)).max())
    assert np.median(spreads) < 5


def test_the_same_rng_the_same_tile(waves):
    labels = (waves > 0).astype(np.uint8)
    first, again, other = (tile_of(waves[None], labels, waves, seed, Strength())[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_bad_input(rng, waves):
    with pytest.raises(InputError, match=r"image and labels must have one size, got \(90, 120\) and \(90, 119\); crop"):
        elastic_deform(waves, np.zeros((90, 119), int), rng)
    for bad in ({"grid": 1}, {"std": -1.0}):
        with pytest.raises(InputError, match="grid must be at least 2 and std at least 0 pixels"):
            elastic_deform(waves, np.zeros(waves.shape, int), rng, **bad)
