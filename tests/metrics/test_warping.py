"""Simple points against brute force, and the warping error of borders that are shifted, broken, added or lost."""

import time

import numpy as np
import pytest
import scipy

from minunet.errors import InputError
from minunet.metrics import pixel_error, warping_error
from minunet.metrics.simple_points import NEIGHBOURS, neighbour_codes, simple_table
from minunet.metrics.warping import warp


def pieces(pixels, steps):
    """Return the connected pieces of a set of (y, x), as sets, by flooding."""
    pixels, found = set(pixels), []
    while pixels:
        piece, todo = set(), [pixels.pop()]
        while todo:
            y, x = todo.pop()
            piece.add((y, x))
            beside = {(y + dy, x + dx) for dy, dx in steps} & pixels
            pixels -= beside
            todo += beside
        found.append(piece)
    return found


def count_pieces(image):
    """Return the number of 4-connected pieces of cell and of 8-connected ones of background, the outside included."""
    padded = np.pad(image, 1)
    return scipy.ndimage.label(padded)[1], scipy.ndimage.label(~padded, np.ones((3, 3)))[1]


def blobs(rng, shape=(40, 31), noise=0.0):
    """Return the probabilities of a smooth random pattern, and the pattern as a binary image."""
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=shape), 2.5) * 8
    p = 1 / (1 + np.exp(-smooth - noise * rng.normal(size=shape)))
    return p, smooth > 0


def vertical(*columns, height=7, width=12, gaps=()):
    """Return a cell with membranes in these columns, from edge to edge, except for gaps in these rows."""
    image = np.ones((height, width), bool)
    image[:, list(columns)] = False
    image[list(gaps)] = True
    return image


def test_the_table_counts_topological_numbers():
    four = [step for step in NEIGHBOURS if 0 in step]
    for code in range(256):
        cell = {place for k, place in enumerate(NEIGHBOURS) if code >> k & 1}
        background = set(NEIGHBOURS) - cell
        T4 = sum(not piece.isdisjoint(four) for piece in pieces(cell, four))
        T8 = len(pieces(background, NEIGHBOURS))
        assert simple_table()[code] == (T4 == T8 == 1), f"{code:08b}"


def test_simple_is_what_changes_no_number_of_pieces(rng):
    simple_ones = 0
    for _ in range(150):
        image = rng.random((5, 6)) < rng.uniform(0.3, 0.8)
        y, x = rng.integers(image.shape)  # often at the edge
        simple = simple_table()[neighbour_codes(image)[y, x]]
        flipped = image.copy()
        flipped[y, x] ^= True
        assert simple == (count_pieces(image) == count_pieces(flipped))
        simple_ones += simple
    assert 20 < simple_ones < 130


@pytest.mark.parametrize("shifted", [vertical(6), vertical(4), vertical(4, 5, 6), vertical(6, 7, 8)])
def test_a_border_that_is_shifted_or_broader_costs_nothing(shifted):
    assert pixel_error(vertical(5), shifted) > 0
    assert warping_error(vertical(5), shifted) == 0


def test_a_border_that_does_not_touch_the_true_one_is_lost_and_added():
    assert warping_error(vertical(5), vertical(8)) == (7 + 1) / 84  # of the new one, a pixel
    assert warping_error(vertical(4, 5, 6), vertical(6, 7, 8)) == 0


def test_a_slanted_border_may_shift_too():
    truth = ~np.eye(8, dtype=bool)  # a diagonal of single pixels separates two cells: they are 4-connected
    shifted = ~np.eye(8, k=1, dtype=bool)
    assert count_pieces(truth) == count_pieces(shifted) == (2, 1)
    assert warping_error(truth, shifted) == 0


@pytest.mark.parametrize(("gaps", "cost"), [((3,), 1), ((2, 3, 4), 3), ((0,), 1)])
def test_a_gap_merges_two_cells_and_costs_its_length(gaps, cost):
    assert warping_error(vertical(5), vertical(5, gaps=gaps)) == cost / 84


def test_the_gap_of_a_broad_border_costs_what_keeps_the_cells_apart():
    assert warping_error(vertical(4, 5, 6), vertical(4, 5, 6, gaps=(3,))) == 1 / 84


def test_a_border_too_many_splits_a_cell():
    assert warping_error(vertical(2), vertical(2, 8)) == 1 / 84  # it grows in from the edge, but for one pixel
    spurs = vertical(2, 8)
    spurs[3, 8] = True
    assert warping_error(vertical(2), spurs) == 0  # two spurs that do not meet cut nothing


def test_cells_and_holes_that_come_or_go_cost_a_pixel_each():
    empty, cells = np.zeros((9, 14), bool), np.zeros((9, 14), bool)
    cells[2:6, 1:4] = cells[3:8, 6:12] = True
    assert warping_error(cells, empty) == 2 / 126  # they shrink until one pixel is left
    holes = ~cells
    assert warping_error(holes, ~empty) == 2 / 126
    assert warping_error(empty, cells) == pixel_error(empty, cells)  # a cell cannot grow from nothing


def test_warping_keeps_every_piece_and_stops_only_where_no_flip_is_left(rng):
    for _ in range(10):
        truth, proposal = blobs(rng)[1], blobs(rng)[1]
        warped = warp(truth, proposal, np.ones(truth.shape))
        assert count_pieces(warped) == count_pieces(truth)
        wrong = warped != proposal
        assert (truth != proposal)[wrong].all()  # nothing that was right
        assert not simple_table()[neighbour_codes(warped)[wrong]].any()
        assert warping_error(truth, proposal) == wrong.mean() < pixel_error(truth, proposal)


def test_the_largest_difference_goes_first():
    truth = np.zeros((3, 7), bool)
    truth[1, 1:6] = True
    for kept in range(1, 6):
        p = np.zeros(truth.shape)
        p[1, 1:6] = 0.4 - 0.1 * np.abs(np.arange(1, 6) - kept)  # the network doubts least at this pixel
        warped = warp(truth, p > 0.5, np.abs(p - truth))
        assert np.argwhere(warped).tolist() == [[1, kept]]
        assert warping_error(truth, p > 0.5, p) == 1 / 21


def test_equal_differences_are_taken_layer_by_layer():
    truth = np.zeros((9, 9), bool)
    truth[1:8, 1:8] = True
    warped = warp(truth, np.zeros((9, 9), bool), np.ones((9, 9)))
    assert np.abs(np.argwhere(warped) - 4).max() <= 1  # what is left of a square is at its centre


def test_unknown_pixels_are_never_wrong():
    truth, proposal = vertical(5), vertical(5, gaps=(1, 3))
    known = np.ones(truth.shape, bool)
    known[3] = False
    assert warping_error(truth, proposal, known=known) == 1 / 72
    spur = vertical(5)
    spur[:4, 8] = False
    known[:] = True
    known[0] = False  # what is not known stays as it is in the truth, so that no spur grows through it
    assert warping_error(truth, spur) == 0
    assert warping_error(truth, spur, known=known) == 3 / 72


def test_equal_images_and_opposite_ones(rng):
    _, image = blobs(rng)
    assert warping_error(image, image) == 0
    assert 0 < warping_error(image, ~image) < 1


@pytest.mark.parametrize(
    ("truth", "proposal", "options", "message"),
    [
        (vertical(5), vertical(5).T, {}, "the same shape"),
        (vertical(5) * 2, vertical(5), {}, "truth must hold 0 .*, got 0, 2"),
        (vertical(5)[0], vertical(5)[0], {}, r"truth must be \(H, W\), got shape \(12,\); pass one image"),
        (vertical(5), vertical(5), {"probability": np.ones((2, 7, 12))}, r"truth, \(7, 12\), got \(2, 7, 12\); pass"),
        (vertical(5), vertical(5), {"probability": np.full((7, 12), np.nan)}, "probability must be finite"),
        (vertical(5), vertical(5), {"known": np.ones((7, 1), bool)}, "known must be a boolean array"),
    ],
)
def test_what_cannot_be_measured_is_said(truth, proposal, options, message):
    with pytest.raises(InputError, match=message):
        warping_error(truth, proposal, **options)


def test_a_slice_takes_seconds(rng):
    p, truth = blobs(rng, (512, 512), noise=2.0)
    began = time.process_time()  # of this process: other work on the machine does not count
    assert 0 < warping_error(truth, p > 0.5, p) < pixel_error(truth, p > 0.5)
    assert time.process_time() - began < 5  # measured: 0.3 s
