"""The measures that go pixel by pixel, against tables worked by hand."""

import numpy as np
import pytest

from minunet.errors import InputError
from minunet.metrics import iou, majority_pixel_error, pixel_error, pixel_error_f_score

TRUTH = np.array([[1, 1, 1, 0], [1, 0, 0, 0]])  # 4 cell pixels of 8
PROPOSAL = np.array([[1, 1, 0, 1], [1, 0, 0, 1]])  # 3 hits, 2 false alarms, 1 miss


def test_by_hand():
    assert pixel_error(TRUTH, PROPOSAL) == 3 / 8
    assert pixel_error_f_score(TRUTH, PROPOSAL) == pytest.approx(1 - 2 * 3 / (2 * 3 + 2 + 1))
    assert iou(TRUTH, PROPOSAL) == 3 / 6


def test_the_majority_is_whichever_class_is_commoner():
    mostly_cell = np.array([1, 1, 1, 0])
    assert majority_pixel_error(mostly_cell) == 0.25
    assert majority_pixel_error(1 - mostly_cell) == 0.25
    assert majority_pixel_error(np.ones(4)) == 0


def test_a_perfect_proposal():
    assert pixel_error(TRUTH, TRUTH) == pixel_error_f_score(TRUTH, TRUTH) == 0
    assert iou(TRUTH, TRUTH) == 1


def test_images_without_a_cell():
    empty = np.zeros((2, 2), bool)
    assert pixel_error_f_score(empty, empty) == 0
    assert iou(empty, empty) == 1
    assert iou(empty, ~empty) == 0
    assert pixel_error_f_score(empty, ~empty) == 1


@pytest.mark.parametrize("measure", [pixel_error, pixel_error_f_score, iou])
def test_unknown_pixels_are_as_if_cut_off(measure):
    known = np.array([[True, True, True, False]] * 2)
    assert measure(TRUTH, PROPOSAL, known) == measure(TRUTH[:, :3], PROPOSAL[:, :3]) != measure(TRUTH, PROPOSAL)
    assert majority_pixel_error(TRUTH, known) == pytest.approx(2 / 6)


@pytest.mark.parametrize("measure", [pixel_error, pixel_error_f_score, iou])
@pytest.mark.parametrize(
    ("truth", "proposal", "message"),
    [
        (np.zeros((4, 5)), np.zeros((5, 4)), r"the same shape, got \(4, 5\) and \(5, 4\)"),
        (np.zeros((2, 2)), np.full((2, 2), 255), "proposal must hold 0 .* and 1 .*, got 255"),
        (np.full((2, 2), 0.5), np.zeros((2, 2)), r"truth must hold 0 .*, got 0\.5"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "truth must hold 0 .*, got nan"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "truth must have pixels"),
    ],
)
def test_what_cannot_be_measured_is_said(measure, truth, proposal, message):
    with pytest.raises(InputError, match=message):
        measure(truth, proposal)
