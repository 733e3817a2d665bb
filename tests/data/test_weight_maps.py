"""The weight map against its definition, and the separation of touching cells."""

import time
import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from minunet.data import separate_touching, synthetic_cells, weight_map
from minunet.errors import InputError


def brute_force(instances, w0, sigma, class_weights):
    """The definition, pixel by pixel and cell by cell, for two cells or more."""
    weights = np.zeros(instances.shape)
    cells = [np.argwhere(instances == label) for label in np.unique(instances[instances > 0])]
    for pixel in np.ndindex(instances.shape):
        if instances[pixel]:
            weights[pixel] = class_weights[1]
            continue
        d1, d2 = sorted(np.hypot(*(cell - pixel).T).min() for cell in cells)[:2]
        weights[pixel] = class_weights[0] + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights


def random_blobs(seed, shape=(40, 50), cells=12):
    """Cells of random shape that fill a part of the image and touch; labels have gaps."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, shape, (cells, 2))
    pixels = np.indices(shape).reshape(2, -1).T
    nearest = np.argmin(np.hypot(*(pixels[:, None] - seeds).transpose(2, 0, 1)), axis=1).reshape(shape)
    inside = ndimage.gaussian_filter(rng.normal(size=shape), 2) > -0.05
    return np.where(inside, 3 * nearest + 2, 0).astype(np.int32)


def touching_pairs(instances):
    """How many pairs of 8-adjacent pixels belong to different cells."""
    padded = np.pad(instances, 1)
    neighbours = [np.roll(padded, shift, (0, 1)) for shift in ((0, 1), (1, 0), (1, 1), (1, -1))]
    return sum(np.count_nonzero((padded != other) & (padded > 0) & (other > 0)) for other in neighbours)


@pytest.mark.parametrize("seed, sigma", [(0, 5.0), (1, 1.0), (2, 0.4)])
def test_weight_map_is_its_definition(seed, sigma):
    instances = separate_touching(random_blobs(seed))
    weights = weight_map(instances, w0=10.0, sigma=sigma, class_weights=(0.5, 2.0))
    expected = brute_force(instances, 10.0, sigma, (0.5, 2.0))
    assert weights.dtype == np.float32 and weights.shape == instances.shape
    assert expected[instances == 0].max() > 0.5  # the border term is there to be compared
    np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-6)


def test_two_pixels_by_hand():
    instances = np.zeros((3, 5), int)
    instances[1, 1], instances[1, 3] = 7, 4
    weights = weight_map(instances, w0=10.0, sigma=5.0, class_weights=(1.0, 1.0))
    assert weights[1, 2] == pytest.approx(1 + 10 * np.exp(-(2**2) / 50))  # d1 = d2 = 1
    assert weights[1, 0] == pytest.approx(1 + 10 * np.exp(-(4**2) / 50))  # d1 = 1, d2 = 3
    assert weights[1, 1] == weights[1, 3] == 1


def test_class_weights_balance_by_default():
    instances = np.zeros((10, 10), np.uint16)
    instances[:2, :5] = 1  # a tenth of the image, and a single cell: no border term
    weights = weight_map(instances)
    assert weights[instances > 0].sum() == pytest.approx(50) and weights[instances == 0].sum() == pytest.approx(50)
    assert weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("label", [0, 3])
def test_one_class_alone_weighs_one(label):
    np.testing.assert_array_equal(weight_map(np.full((4, 6), label)), np.ones((4, 6)))


def test_distant_cells_and_large_labels():
    instances = np.zeros((4, 300), np.int64)
    instances[:, 0], instances[:, -1] = 2_000_000_000, 5
    np.testing.assert_array_equal(weight_map(instances, class_weights=(1, 1)), np.ones((4, 300)))


@pytest.mark.parametrize("seed", range(6))
def test_separated_cells_do_not_touch(seed):
    instances = random_blobs(seed)
    before = instances.copy()
    separated = separate_touching(instances)
    assert touching_pairs(instances) > 20 and touching_pairs(separated) == 0
    np.testing.assert_array_equal(instances, before)
    assert separated.dtype == instances.dtype
    assert np.all((separated == instances) | (separated == 0))  # labels keep their values
    assert set(np.unique(separated)) == set(np.unique(instances))  # no cell vanished
    assert np.count_nonzero(separated != instances) < touching_pairs(instances)  # a line, not a swath


def test_the_larger_cell_gives_way():
    instances = np.array([[1, 1, 1, 2, 2, 0]])
    np.testing.assert_array_equal(separate_touching(instances), [[1, 1, 0, 2, 2, 0]])


def test_a_thin_cell_between_two_survives():
    instances = np.repeat([[4], [9], [6]], 7, axis=0).reshape(3, 7)  # three rows of one pixel; 6 and 9 would give way
    separated = separate_touching(instances)
    assert set(np.unique(separated)) == {0, 4, 6, 9} and touching_pairs(separated) == 0


@pytest.mark.parametrize("shape", [(1, 2), (5, 5), (1024, 1024)])
def test_more_cells_than_pixels_can_separate(shape):
    instances = np.arange(1, np.prod(shape) + 1).reshape(shape)
    with pytest.raises(InputError, match=r"no room for cell \d+ \(size 1\) at y=0, x=1; remove it, join it"):
        separate_touching(instances)


@pytest.mark.parametrize("labels, cells", [((), 0), ((5,), 1)])
def test_one_cell_or_none_has_no_border(labels, cells):
    instances = np.zeros((9, 12), np.int32)
    for label in labels:
        instances[2:5, 3:8] = label
    np.testing.assert_array_equal(separate_touching(instances), instances)
    weights = weight_map(instances)
    assert len(np.unique(weights[instances == 0])) == 1  # the class weight alone
    assert len(np.unique(weights)) == cells + 1 and weights.mean() == pytest.approx(1)


def test_a_thousand_cells_are_quick_and_small():
    y, x = np.indices((1024, 1024))
    instances = np.where(np.hypot(y % 32 - 15.5, x % 32 - 15.5) < 16.5, y // 32 * 32 + x // 32 + 1, 0)
    instances[instances > 1000] = 0
    assert touching_pairs(instances) > 1000
    began = time.process_time()  # of this process: other work on the machine does not count
    weights = weight_map(separate_touching(instances))
    assert time.process_time() - began < 2  # measured: 0.5
    assert weights.max() > 9

    tracemalloc.start()
    weight_map(separate_touching(instances))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # bytes; measured: 50e6


def test_real_touching_cells():
    _, instances = synthetic_cells(np.random.default_rng(5), 128, 128)
    assert touching_pairs(separate_touching(instances)) == 0
    assert weight_map(separate_touching(instances)).max() > 8  # between two cells the border term rules


@pytest.mark.parametrize("function", [weight_map, separate_touching])
def test_unusable_instances_are_refused(function):
    with pytest.raises(InputError, match=r"must be integers, .* got float64; .*astype\(np.int32\)"):
        function(np.zeros((4, 4)))
    with pytest.raises(InputError, match=r"must be \(H, W\), got shape \(1, 4, 4\); pass one image"):
        function(np.zeros((1, 4, 4), int))
    with pytest.raises(InputError, match="must not be below 0, got -1; use 0 for background"):
        function(np.full((4, 4), -1))


def test_sigma_must_be_positive():
    with pytest.raises(InputError, match="sigma must be above 0 pixels and finite, got 0; the paper uses 5"):
        weight_map(np.eye(3, dtype=int), sigma=0)
