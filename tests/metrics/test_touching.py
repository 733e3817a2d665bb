"""Touching cells: hills with valleys worked by hand, the definition pixel by pixel, and what must always hold."""

import itertools
import time
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage

from minunet import InputError, label_cells
from minunet.cli.predict_results import LABELS, SPLITTING
from minunet.metrics import components, watershed
from minunet.metrics.cells import classes_of, label_classes
from minunet.metrics.touching import SPLIT, STEP, split_touching


def two_hills(valley, top=0.9):
    """Two tops of 0.9 and `top` with a valley between them, in one piece above 0.5."""
    row = np.array([0.1, 0.6, 0.9, 0.9, valley, top, top, 0.6, 0.1])
    p = np.full((5, 9), 0.1)
    p[1:4] = row
    return p


def hills(rng, shape=(40, 50)):
    p = scipy.ndimage.gaussian_filter(rng.random(shape), 2)
    return (p - p.min()) / (p.max() - p.min())


def test_a_valley_deep_enough_makes_two_cells_of_one_piece():
    labels = label_cells(two_hills(valley=0.7))
    np.testing.assert_array_equal(labels[2], [0, 1, 1, 1, 2, 2, 2, 2, 0])
    np.testing.assert_array_equal(labels > 0, two_hills(0.7) > 0.5)


@pytest.mark.parametrize(("valley", "count"), [(0.89, 1), (0.86, 1), (0.74, 2), (0.55, 2), (0.4, 2)])
def test_how_deep_a_valley_must_be(valley, count):
    assert label_cells(two_hills(valley)).max() == count


def test_the_highest_and_the_lowest_level_count():
    p = two_hills(valley=0.9, top=1)
    p[1:4, 2:4] = 1
    assert label_cells(p).max() == 2
    p[1:4] = [0.1, 0.6, 0.66, 0.66, 0.53, 0.66, 0.66, 0.6, 0.1]
    assert label_cells(p).max() == 2


def test_a_low_hill_beside_a_high_one_is_a_cell_only_if_it_rises_enough_above_the_valley():
    assert label_cells(two_hills(valley=0.62, top=0.65)).max() == 1
    assert label_cells(two_hills(valley=0.62, top=0.8)).max() == 2


def test_a_larger_fall_splits_less_and_one_splits_nothing():
    p = two_hills(valley=0.7)
    assert [label_cells(p, split=split).max() for split in (0.1, 0.15, 0.3, 1)] == [2, 2, 1, 1]


def test_no_piece_is_lost_however_low_it_is():
    p = np.zeros((3, 9))
    p[1, 1:3], p[1, 5:8] = 0.51, (0.9, 0.6, 0.9)
    np.testing.assert_array_equal(label_cells(p)[1], [0, 1, 1, 0, 0, 2, 3, 3, 0])


@pytest.mark.parametrize("threshold", [0.2, 0.35, 0.5])
def test_the_same_pixels_are_cell_and_each_cell_is_one_piece(rng, threshold):
    p = hills(rng)
    labels = label_cells(p, threshold)
    pieces = components(p > threshold)
    np.testing.assert_array_equal(labels > 0, p > threshold)
    assert labels.max() > pieces.max() + 2  # else nothing would have been tested
    assert labels.dtype == np.int32
    for number in range(1, labels.max() + 1):
        assert components(labels == number).max() == 1
        assert len(np.unique(pieces[labels == number])) == 1
    first = [np.flatnonzero(labels == number)[0] for number in range(1, labels.max() + 1)]
    assert first == sorted(first)


@pytest.mark.parametrize("split", [0.1, 0.2])
def test_two_tops_are_two_cells_exactly_if_every_way_between_them_sinks_enough(rng, split):
    p, threshold = hills(rng, (24, 30)), 0.3
    p = np.round(p * 40) / 40 + 0.01  # steps of half of STEP, and none at a level
    labels = split_touching(p > threshold, p, threshold, split)
    tops = [np.argmax(np.where(labels == number, p, 0)) for number in range(1, labels.max() + 1)]
    pieces = components(p > threshold).ravel()
    for one, other in itertools.combinations(tops, 2):
        if pieces[one] == pieces[other]:
            assert deepest(p, one, other, threshold) <= min(p.ravel()[[one, other]]) - split + 1e-9
    lost = [top for top in local_tops(p, threshold) if labels.ravel()[top] and top not in tops]
    assert lost
    for top in lost:  # from each there is a way to a cell's top that does not sink by more than split and a step
        passes = [deepest(p, top, cell, threshold) for cell in tops if pieces[cell] == pieces[top]]
        assert max(passes) > p.ravel()[top] - split - STEP - 1e-9


def deepest(p, one, other, threshold):
    """Return the level of the pass between two pixels: the highest at which they are still connected."""
    levels = [level for level in np.unique(p) if level > threshold]
    together = [level for level in levels if (lambda c: c[one] == c[other] > 0)(components(p >= level).ravel())]
    return max(together)


def local_tops(p, threshold):
    highest = (scipy.ndimage.grey_dilation(p, footprint=scipy.ndimage.generate_binary_structure(2, 1)) == p).ravel()
    return np.flatnonzero(highest & (p.ravel() > threshold))


def test_cells_of_several_classes_are_split_within_their_class():
    cell = two_hills(valley=0.7)
    p = np.stack([1 - cell, cell, np.zeros_like(cell)])
    p[:, :, 6:] = p[[0, 2, 1], :, 6:]  # the second hill's right half is of class 2
    labels = label_cells(p)
    np.testing.assert_array_equal(labels[2], [0, 1, 1, 1, 2, 2, 3, 3, 0])
    assert label_cells(p, split=1).max() == 2


def test_float32_booleans_and_an_empty_image():
    p = two_hills(0.7)
    np.testing.assert_array_equal(label_cells(p.astype(np.float32)), label_cells(p))
    assert label_cells(p > 0.5).max() == 1
    assert label_cells(np.zeros((3, 4))).max() == 0
    assert label_cells(np.ones((3, 4))).max() == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.25, 0.5, 0.52])
def test_a_valley_exactly_as_deep_as_asked_for_splits_whatever_rounding_does(dtype, threshold):
    for k in range(13, 17):  # valleys of 0.65, 0.7, 0.75 and 0.8, which are levels, with tops 0.1 above
        p = two_hills(valley=k / 20, top=k / 20 + 0.1)
        p[p == 0.9] = k / 20 + 0.1
        for error in (-1e-7, 0, 1e-7):
            p[1:4, 4] = k / 20 + error
            assert label_cells(p.astype(dtype), threshold).max() == 2, (k, error)


def test_each_takes_the_land_on_its_own_side_of_a_valley():
    """A cell with a broad, low shoulder, and beside it, across a deep valley, the long arm of another."""
    p = np.full((8, 32), 0.1)
    p[3:7, 1:29] = 0.69
    p[2, 1:30] = p[3:7, 29] = 0.52
    p[2, 1:4] = 0.69
    p[1] = [0.1, *3 * [0.95], 0.8, *3 * [0.95], *23 * [0.86], 0.1]
    p[1:7, 30] = 0.86
    labels = label_cells(p)
    assert labels.max() == 2
    assert (labels[3:7, 1:29] == labels[1, 1]).all() and (labels[1:7, 30] == labels[1, 5]).all()


def test_it_is_the_watershed_from_the_tops_to_within_a_step(rng):
    p = hills(rng, (60, 70))
    labels = label_cells(p, 0.3)
    tops = np.zeros(p.shape, int)
    for number in range(1, labels.max() + 1):
        tops.ravel()[np.argmax(np.where(labels == number, p, 0))] = number
    exact = np.where(p > 0.3, watershed(-p, tops), 0)
    assert (labels != exact).sum() < 0.12 * (labels > 0).sum()


def test_working_strip_by_strip_changes_nothing(rng, monkeypatch):
    p = hills(rng)
    expected = label_cells(p, 0.3)
    monkeypatch.setattr("minunet.metrics.touching.STRIP", 7)  # less than a row: each is a strip
    np.testing.assert_array_equal(label_cells(p, 0.3), expected)


def test_a_long_thin_way_takes_no_longer_than_it_is():
    snake = np.zeros((201, 201))
    snake[::2] = 0.55
    snake[1::4, -1] = snake[3::4, 0] = 0.55
    snake[0, :9] = (0.9, 0.9, 0.9, 0.6, 0.55, 0.6, 0.9, 0.9, 0.9)
    began = time.process_time()
    labels = label_cells(snake)
    assert labels.max() == 2 and (labels > 0).sum() == (snake > 0).sum()
    assert time.process_time() - began < 10  # looking at all that is left in every step took ever longer


@pytest.mark.parametrize("split", [0, -0.1, 1.1, np.nan, "0.1", None, True])
def test_a_fall_that_can_be_none(split):
    with pytest.raises(InputError, match=r"split must be a number above 0 and at most 1, got .*; 0\.1 is usual"):
        label_cells(two_hills(0.7), split=split)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_takes_no_more_memory_than_predict_reckons_with(rng, classes):
    peaks = {side: peak_of(hills(rng, (side, side)).astype(np.float32), classes) for side in (600, 1000)}
    for_each_pixel = (peaks[1000] - peaks[600]) / (1000**2 - 600**2)
    assert for_each_pixel <= LABELS - 1 + SPLITTING  # beside the classes
    assert for_each_pixel > 15  # else the reckoning is out of date


def peak_of(p, classes):
    p = np.stack([1 - p, p] if classes == 2 else [1 - p, 0.9 * p, 0.1 * p])
    found = classes_of(p, 0.3)
    tracemalloc.start()
    try:
        label_classes(found, p, 0.3, SPLIT)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
