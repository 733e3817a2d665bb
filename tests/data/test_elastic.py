"""Elastic deformation: image and labels are bent by one field, and nothing is read that was not there."""

import numpy as np
import pytest
import scipy.ndimage

from minunet import InputError, elastic_deform
from minunet.data.elastic import bicubic


@pytest.fixture
def waves():
    """A smooth image, (90, 120): interpolation is nearly exact, so the grey value tells where it was read."""
    h, w = np.mgrid[:90, :120]
    return np.sin(h / 7) + np.cos(w / 9 + h / 20)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_no_displacement_changes_nothing(rng, dtype):
    image, labels = rng.integers(0, 255, (2, 13, 17)).astype(dtype), rng.integers(0, 9, (13, 17))
    bent, same = elastic_deform(image, labels, rng, std=0)
    np.testing.assert_array_equal(bent, image, strict=True)
    np.testing.assert_array_equal(same, labels, strict=True)
    assert not np.shares_memory(bent, image) and not np.shares_memory(same, labels)


@pytest.mark.parametrize("shape", [(90, 120), (7, 40), (1, 5), (1, 1)])
def test_image_and_labels_are_read_where_the_brute_force_reads_them(rng, shape):
    """The plain definition: a 2-D spline through the nodes, and the mirrored image by np.pad, pixel by pixel."""
    image, labels = rng.random(shape), rng.integers(0, 10**9, shape)
    bent, bent_labels = elastic_deform(image, labels, np.random.default_rng(3), grid=4, std=4.0)
    nodes = 4.0 * np.random.default_rng(3).standard_normal((2, 4, 4))
    at = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    shift = np.array([scipy.ndimage.map_coordinates(plane, at, order=3, mode="mirror") for plane in nodes])
    positions = np.indices(shape) + shift
    padded_labels, padded = (np.pad(plane, 40, mode="reflect") for plane in (labels, image))
    nearest = np.rint(positions).astype(int) + 40
    np.testing.assert_array_equal(bent_labels, padded_labels[nearest[0], nearest[1]])
    expected = scipy.ndimage.map_coordinates(padded, positions + 40, order=3, mode="mirror")
    np.testing.assert_allclose(bent, expected, atol=1e-6)


def test_the_field_goes_through_the_nodes_and_is_smooth(rng):
    nodes = rng.normal(size=(2, 3, 4))
    np.testing.assert_allclose(bicubic(nodes, np.arange(3.0), np.arange(4.0)), nodes, atol=1e-12)
    rows, columns = np.linspace(0, 2, 201), np.linspace(0, 3, 301)
    field = bicubic(nodes, rows, columns)
    for axis in (1, 2):
        slope = np.diff(field, axis=axis) / 0.01
        assert np.abs(np.diff(slope, axis=axis)).max() < 0.3  # continuous: linear interpolation jumps by several
        assert np.abs(slope).max() > 1


def test_displacements_have_the_standard_deviation_that_is_asked_for():
    h, w = np.mgrid[:61, :81].astype(float)
    zeros = np.zeros((61, 81), np.uint8)
    bent = [elastic_deform(np.stack([h, w]), zeros, np.random.default_rng(seed), std=2.5)[0] for seed in range(400)]
    moved = np.array(bent)[:, :, 30, 40] - [30, 40]  # of the node in the middle, (400, 2)
    np.testing.assert_allclose(moved.std(axis=0), 2.5, rtol=0.12)
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.4)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.15


def test_labels_keep_their_values_and_go_with_the_image(rng, waves):
    labels = (7 * (waves > 0.3) + 200 * (waves < -0.5)).astype(np.uint8)
    image, bent = elastic_deform(np.stack([waves, 2 * waves]), labels, rng)
    assert bent.dtype == np.uint8 and set(np.unique(bent)) == {0, 7, 200}
    np.testing.assert_allclose(image[1], 2 * image[0], atol=1e-9)
    assert np.mean(bent != labels) > 0.1  # bent it is
    clear = np.abs(image[0] - 0.3) > 0.15  # farther than half a pixel from the edge of label 7
    np.testing.assert_array_equal((bent == 7)[clear], (image[0] > 0.3)[clear])


def test_integers_do_not_wrap_around_where_the_spline_overshoots(rng):
    step = np.zeros((30, 40), np.uint8)
    step[:, 20:] = 255
    bent, _ = elastic_deform(step, step, rng, std=2.0)
    exact, _ = elastic_deform(step.astype(float), step, np.random.default_rng(0), std=2.0)
    assert bent.dtype == np.uint8 and exact.min() < -5 and exact.max() > 260
    np.testing.assert_array_equal(bent, np.rint(exact).clip(0, 255))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros((9, 7), int)}, r"got shapes \(9, 8\) and \(9, 7\); pass one image with its labels"),
        ({"image": np.zeros((1, 1, 9, 8))}, r"got shapes \(1, 1, 9, 8\) and \(9, 8\)"),
        ({"image": np.zeros((9, 8), bool)}, r"got bool; use image\.astype\(np\.float32\)"),
        ({"image": np.zeros((9, 8), np.float16)}, r"got float16; use image\.astype"),
        ({"grid": 1}, "grid must be at least 2 and std at least 0 pixels, got grid 1 and std 10.0"),
        ({"std": -1.0}, r"std -1\.0; the paper has 3 and 10"),
        ({"std": np.nan}, "got grid 3 and std nan"),
        ({"std": np.inf}, "got grid 3 and std inf"),
    ],
)
def test_bad_input_is_refused_in_one_line(rng, change, message):
    good = {"image": np.zeros((9, 8)), "labels": np.zeros((9, 8), int), "rng": rng}
    with pytest.raises(InputError, match=message):
        elastic_deform(**{**good, **change})
