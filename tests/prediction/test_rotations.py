"""Turned versions of an image: which ones, what a window of them holds, and the way back."""

import numpy as np
import pytest

from minunet.data import cut
from minunet.errors import InputError
from minunet.prediction.rotations import block, turned_back, turned_window, versions


def reader(image):
    return lambda top, left, height, width: cut(image, top, left, height, width)


def whole(version, image):
    return turned_window(version, reader(image), 0, 0, *version.turned_size)


def back(version, turned, windows):
    """Return the sum of what each window (top, left, height, width) adds, on the grid of the image."""
    out = np.zeros((len(turned), *version.size))
    for top, left, height, width in windows:
        if block(version, top, left, height, width):
            rows, columns, part = turned_back(version, turned[:, top : top + height, left : left + width], top, left)
            out[:, rows, columns] += part
    return out


def test_the_seven_angles_are_sevenths_of_a_turn():
    angles = [np.degrees(np.arctan2(v.turn[1, 0], v.turn[0, 0])) % 360 for v in versions(7, (5, 9))]
    np.testing.assert_allclose(angles, 360 / 7 * np.arange(7), atol=1e-9)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_the_symmetries_of_the_square_are_the_pixels_in_another_order(count, rng):
    image = rng.standard_normal((1, 6, 9)).astype(np.float32)
    expected = [np.rot90(image, k, axes=(1, 2)) for k in range(4)]
    expected += [np.rot90(image[..., ::-1], k, axes=(1, 2)) for k in range(4)]
    found = [whole(version, image) for version in versions(count, (6, 9))]
    assert len(found) == count
    assert {array.tobytes() for array in found} <= {array.tobytes() for array in expected}
    assert len({array.tobytes() for array in found}) == count
    np.testing.assert_array_equal(found[0], image)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_the_way_back_from_a_symmetry_is_exact(count, rng):
    image = rng.standard_normal((2, 7, 4)).astype(np.float32)
    for version in versions(count, (7, 4)):
        turned = whole(version, image)
        height, width = turned.shape[1:]
        halves = [(0, 0, height, 2), (0, 2, height, width - 2)]
        np.testing.assert_array_equal(back(version, turned, halves), image)


@pytest.mark.parametrize("count", [1, 7, 8])
def test_a_window_is_a_part_of_the_whole(count, rng):
    image = rng.standard_normal((2, 31, 18))
    for version in versions(count, (31, 18)):
        part = turned_window(version, reader(image), 3, 5, 8, 6)
        # a spline's reach is cut off at SPLINE_REACH pixels
        np.testing.assert_allclose(part, whole(version, image)[:, 3:11, 5:11], rtol=0, atol=1e-8)


def test_a_turned_slope_is_a_slope():
    """Splines keep a linear function, so what turned pixels must hold is known, far from the mirrored edges."""
    rows, columns = np.mgrid[:90, :100]
    image = (2.0 * rows - columns)[None]
    for version in versions(7, (90, 100)):
        grid = np.mgrid[: version.turned_size[0], : version.turned_size[1]].reshape(2, -1)
        row, column = version.turn.T @ (grid - version.turned_centre[:, None]) + version.centre[:, None]
        inside = (row > 20) & (row < 69) & (column > 20) & (column < 79)
        assert np.count_nonzero(inside) > 2000
        np.testing.assert_allclose(whole(version, image).reshape(-1)[inside], (2 * row - column)[inside], atol=1e-6)


def test_windows_side_by_side_add_up_to_linear_interpolation(rng):
    for version in versions(7, (20, 33)):
        turned = rng.standard_normal((2, *version.turned_size))
        height, width = version.turned_size
        split = [(t, s, 7, 11) for t in range(0, height, 7) for s in range(0, width, 11)]
        out = back(version, turned, split)
        for row, column in ((0, 0), (19, 32), (7, 4), (0, 32), (12, 21)):
            y, x = version.turn @ ((row, column) - version.centre) + version.turned_centre
            i, j = int(y), int(x)
            corners = turned[:, i : i + 2, j : j + 2]  # (K, 2, 2), or fewer at the edge, where their weight is 0
            weights = np.outer([i + 1 - y, y - i], [j + 1 - x, x - j])[: corners.shape[1], : corners.shape[2]]
            np.testing.assert_allclose(out[:, row, column], (weights * corners).sum(axis=(1, 2)), atol=1e-9)


def test_every_pixel_lies_within_its_version():
    for size in ((1, 1), (1, 30), (17, 8)):
        for version in versions(7, size):
            ones = np.ones((1, *version.turned_size))
            np.testing.assert_allclose(back(version, ones, [(0, 0, *version.turned_size)]), 1, atol=1e-12)


def test_the_corners_of_a_turned_version_hold_nothing():
    version = versions(7, (40, 40))[1]
    assert block(version, 0, 0, 8, 8) is None
    assert block(version, 20, 20, 8, 8) is not None


@pytest.mark.parametrize("count", [0, -1, 2, 3, 9, 7.5])
def test_other_counts_are_refused(count):
    with pytest.raises(InputError, match=f"rotations must be 1 .none.*, got {count}; 1 is quickest"):
        versions(count, (20, 20))
