"""Cells from probabilities, and their table, in cases worked by hand; and as scikit-image has it, where it is there."""

import tracemalloc

import numpy as np
import pytest

from minunet import InputError, label_cells, measure_cells
from minunet.metrics import components
from minunet.metrics.cells import areas_of, classes_of
from minunet.metrics.touching import STRIP

# Two cells that touch at a corner only, and a third of another class beside the second.
CLASSES = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 1, 2], [0, 0, 0, 0, 2]])
LABELS = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 2, 2, 3], [0, 0, 0, 0, 3]])


def probabilities_of(classes, count, sure=0.8):
    p = np.full((count, *classes.shape), (1 - sure) / (count - 1))
    np.put_along_axis(p, classes[None], sure, axis=0)
    return p


def test_cells_of_each_class_are_numbered():
    labels = label_cells(probabilities_of(CLASSES, 3))
    np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.int32


def test_the_probability_of_cell_alone_is_enough(rng):
    p = rng.random((30, 40))
    for threshold in (0.2, 0.5, 0.9):
        expected = components(p > threshold)
        np.testing.assert_array_equal(label_cells(p, threshold, split=1), expected)
        np.testing.assert_array_equal(label_cells(np.stack([1 - p, p]), threshold, split=1), expected)


def test_at_one_half_it_is_the_most_probable_class_and_below_there_is_more_cell(rng):
    p = rng.dirichlet([1, 1, 1], (20, 30)).transpose(2, 0, 1)
    np.testing.assert_array_equal(classes_of(p), p.argmax(axis=0))
    p = np.array([0.5, 0.35, 0.15]).reshape(3, 1, 1)
    assert classes_of(p) == classes_of(p, 0.42) == 0  # 0.35 / (0.5 + 0.35) = 0.412
    assert classes_of(p, 0.4) == 1 and classes_of(p[[0, 2, 1]], 0.4) == 2
    assert classes_of(p, 1) == 0 and classes_of(p, 0) == 1


def test_a_pixel_exactly_at_the_threshold_is_background():
    at_half = np.array([[0.5, 0.75]])
    np.testing.assert_array_equal(label_cells(at_half), [[0, 1]])
    np.testing.assert_array_equal(label_cells(np.stack([1 - at_half, at_half])), [[0, 1]])


def test_no_cell():
    assert label_cells(np.zeros((3, 4))).max() == 0
    table = measure_cells(np.zeros((3, 4), int), np.ones((3, 4)))
    names = ["label", "area", "centroid-0", "centroid-1", "intensity_mean", "bbox-0", "bbox-1", "bbox-2", "bbox-3"]
    assert list(table) == names
    assert all(column.shape == (0,) for column in table.values())


def test_the_table_by_hand():
    image = np.arange(20.0).reshape(4, 5)
    table = measure_cells(LABELS, image, CLASSES)
    expected = {
        "label": [1, 2, 3],
        "class": [1, 1, 2],
        "area": [3, 2, 2],
        "centroid-0": [1 / 3, 2, 2.5],
        "centroid-1": [1 / 3, 2.5, 4],
        "intensity_mean": [2, 12.5, 16.5],
        "bbox-0": [0, 2, 2],
        "bbox-1": [0, 2, 4],
        "bbox-2": [2, 3, 4],
        "bbox-3": [2, 4, 5],
    }
    assert list(table) == list(expected)
    for name, column in expected.items():
        np.testing.assert_allclose(table[name], column, err_msg=name)


def test_numbers_that_are_missing_and_several_channels():
    labels = np.where(LABELS == 2, 7, LABELS)
    table = measure_cells(labels, np.stack([labels, 10 * labels]))
    np.testing.assert_array_equal(table["label"], [1, 3, 7])
    np.testing.assert_array_equal(table["intensity_mean-1"], [10, 30, 70])
    np.testing.assert_array_equal(table["bbox-1"], [0, 4, 2])
    assert "intensity_mean-0" not in measure_cells(labels)


def test_a_cell_that_lies_in_several_strips():
    labels = np.zeros((8, STRIP // 2), np.int32)  # a strip has two rows
    labels[1:6, 10:13] = 1
    table = measure_cells(labels, np.broadcast_to(np.arange(8)[:, None], labels.shape))
    values = [float(table[name][0]) for name in ("area", "centroid-0", "centroid-1", "intensity_mean")]
    assert values == [15, 3, 11, 3]


def test_a_cell_in_the_first_row_and_column_and_cells_of_one_pixel_each():
    labels = np.zeros((3, 4), int)
    labels[0, 0] = 5
    table = measure_cells(labels)
    assert [int(table[name][0]) for name in ("label", "area", "bbox-0", "bbox-2")] == [5, 1, 0, 1]
    everywhere = np.arange(1, 13).reshape(3, 4)  # as many cells as pixels
    np.testing.assert_array_equal(measure_cells(everywhere)["label"], np.arange(1, 13))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.uint64])
def test_labels_of_any_integer_type_and_long_doubles(dtype):
    image = np.arange(20.0).reshape(4, 5)
    expected = measure_cells(LABELS, image)
    table = measure_cells(LABELS.astype(dtype), image.astype(np.longdouble))
    for name, column in expected.items():
        np.testing.assert_array_equal(table[name], column, err_msg=name)


def test_a_large_image_is_counted_in_strips(rng):
    """Row and column numbers of all its pixels at once would take 16 bytes for each."""
    labels = np.zeros((1500, 2000), np.int32)
    labels[700:720, 5:9] = 1
    measure_cells(labels[:10])  # imports what it needs
    tracemalloc.start()
    measure_cells(labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * labels.size


def test_as_scikit_image_has_it(rng):
    measure = pytest.importorskip("skimage.measure", reason="needs scikit-image")
    labels, image = components(rng.random((60, 70)) > 0.5), rng.random((60, 70, 3))
    properties = ("label", "area", "centroid", "intensity_mean", "bbox")
    expected = measure.regionprops_table(labels, image, properties=properties)
    table = measure_cells(labels, image.transpose(2, 0, 1))
    assert list(table) == list(expected)
    for name, column in expected.items():
        np.testing.assert_allclose(table[name], column, err_msg=name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: label_cells(np.full((3, 4), 128)), "from 0 to 1, got 128 to 128; divide those of an 8-bit picture"),
        (lambda: label_cells(np.zeros(3)), r"must be \(H, W\), of cell, or \(K, H, W\)"),
        (lambda: label_cells(np.zeros((1, 3, 4))), r"or \(K, H, W\), of each class, got shape \(1, 3, 4\)"),
        (lambda: label_cells(np.full((257, 2, 2), 1 / 257)), r"got shape \(257, 2, 2\)"),  # classes are uint8
        (lambda: label_cells(np.zeros((2, 0, 4))), r"got shape \(2, 0, 4\)"),
        (lambda: label_cells(np.full((3, 4), np.nan)), "probabilities must be finite"),
        (lambda: label_cells(np.full((3, 4), -0.1)), "from 0 to 1, got -0.1 to -0.1"),
        (lambda: label_cells(np.full((3, 4), 1.1)), "from 0 to 1, got 1.1 to 1.1"),
        (lambda: label_cells(np.zeros((3, 4)), 50), "threshold must be from 0 to 1, got 50"),
        (lambda: label_cells(np.zeros((3, 4)), 1.1), "threshold must be from 0 to 1, got 1.1"),
        (lambda: measure_cells(LABELS, np.zeros((1, 2, 4, 5))), r"image must have .* got shape \(1, 2, 4, 5\)"),
        (lambda: measure_cells(LABELS, None, LABELS[None]), r"classes must have .* got shape \(1, 4, 5\)"),
        (lambda: measure_cells(LABELS, np.full((4, 5), np.inf)), "image must be finite"),
        (lambda: measure_cells(LABELS[0]), r"labels must be an image \(H, W\), got shape \(5,\)"),
        (lambda: measure_cells(LABELS[:0]), r"labels must be an image \(H, W\), got shape \(0, 5\)"),
        (lambda: measure_cells(np.where(LABELS == 3, 21, 0)), "in 20 pixels, got 0 to 21; number them anew"),
        (lambda: measure_cells(LABELS, np.zeros((4, 4))), r"image must have the size of the labels, \(4, 5\)"),
        (lambda: measure_cells(LABELS - 1), "number the cells 1, 2, ... in 20 pixels, got -1 to 2"),
        (lambda: measure_cells(LABELS / 2), "labels must hold integers"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_probabilities_that_are_rounded_and_many_classes_are_taken(rng):
    np.testing.assert_array_equal(label_cells(np.array([[-1e-4, 1.0001]])), [[0, 1]])
    classes = rng.integers(0, 256, (5, 7))
    np.testing.assert_array_equal(classes_of(probabilities_of(classes, 256)), classes)


SIZES = np.array([[0.0, 0.9, 0.0, 0.9, 0.9, 0.0, 0.9, 0.9, 0.9], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0]])


@pytest.mark.parametrize("rows_at_a_time", [1, 2**18])
@pytest.mark.parametrize(
    ("min_area", "numbers"),
    [(0, [1, 2, 3]), (1, [1, 2, 3]), (2, [0, 1, 2]), (3, [0, 0, 1]), (4, [0, 0, 1]), (5, [0] * 3)],
)
def test_small_cells_are_left_out_and_the_others_numbered_anew(monkeypatch, rows_at_a_time, min_area, numbers):
    monkeypatch.setattr("minunet.metrics.touching.STRIP", rows_at_a_time)
    labels = label_cells(SIZES, min_area=min_area)
    assert labels.dtype == np.int32 and labels[0, [1, 3, 6]].tolist() == numbers
    expected = [area for area, number in zip((1, 2, 4), numbers, strict=True) if number]
    assert areas_of(labels).tolist() == expected == measure_cells(labels)["area"].tolist()


@pytest.mark.parametrize("min_area", [-1, 2.0, True, "6", None])
def test_what_is_no_area_is_refused(min_area):
    with pytest.raises(InputError, match="min_area must be a whole number of pixels, at least 0"):
        label_cells(SIZES, min_area=min_area)
