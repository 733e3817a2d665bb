"""The outlines of cells on an image of any kind."""

import numpy as np
import pytest

from minunet.pictures.overlay import COLOURS, overlay

LABELS = np.zeros((9, 12), np.int32)
LABELS[2:7, 2:6] = 1
LABELS[2:7, 7:11] = 2
CLASSES = LABELS.astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("grey", [1, 1000, 65535])
def test_a_line_runs_inside_the_edge_and_a_black_one_outside(channels, grey):
    image = np.full((channels, 9, 12), grey, np.uint16)
    image[:, 0, 0] = 0
    picture = overlay(image, LABELS, CLASSES)
    assert picture.shape == (9, 12, 3) and picture.dtype == np.uint8
    lines = {tuple(picture[row, column]) for row, column in [(2, 3), (6, 3), (4, 2), (4, 5)]}
    assert lines == {tuple(COLOURS[0])}
    assert tuple(picture[2, 7]) == tuple(COLOURS[1])
    assert not picture[[1, 7, 4, 4], [4, 4, 1, 6]].any()  # above, below, left of the first, and between the two
    assert (picture[3:6, 3:5] == 255).all() and (picture[0, 1:] == 255).all() and (picture[8] == 255).all()


def test_the_line_touches_no_pixel_that_is_not_at_an_edge(rng):
    image = rng.integers(100, 200, (3, 9, 12)).astype(np.float32)
    plain, picture = overlay(image, np.zeros_like(LABELS)), overlay(image, LABELS)
    changed = (plain != picture).any(axis=2)
    assert not changed[3:6, 3:5].any() and not changed[0].any() and not changed[8].any()


def test_contrast_is_stretched_and_hot_pixels_do_not_count(rng):
    image = 1000 + 50 * rng.random((1, 100, 120))
    image[0, 0, 0] = 65535
    picture = overlay(image, np.zeros((100, 120), int))
    assert picture.min() < 5 and picture.max() == 255
    assert 110 < picture.mean() < 145
    np.testing.assert_array_equal(picture[..., 0], picture[..., 2])


def test_strips_leave_no_seam(rng, monkeypatch):
    image = rng.random((3, 50, 40))
    whole = overlay(image, np.zeros((50, 40), int))
    monkeypatch.setattr("minunet.pictures.overlay.STRIP", 40 * 7)
    np.testing.assert_array_equal(overlay(image, np.zeros((50, 40), int)), whole)
