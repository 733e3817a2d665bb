"""V_rand, V_info and SEG: tables worked by hand, the definitions over all pairs of pixels, and what must not matter."""

import math
import time

import numpy as np
import pytest

from minunet.errors import InputError
from minunet.metrics import info_scores, rand_scores, seg_score, v_info, v_rand
from minunet.metrics.contingency import contingency

TWO_CELLS = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2]])
MERGED = np.ones((2, 5), int)


@pytest.fixture
def segmentations(rng):
    """Return two label images, (9, 7) each, with background in both and numbers that leave gaps."""
    truth = rng.choice([0, 3, 4, 90], (9, 7))
    alike = np.array([0, 7, 5])[np.searchsorted([3, 4], truth, side="right")]  # merges labels 4 and 90
    return truth, np.where(rng.random(truth.shape) < 0.8, alike, rng.choice([0, 0, 1, 1000, 5], truth.shape))


def brute_force_rand(truth, proposal):
    """Return S_AB, S_A and S_B by comparing every pixel with every pixel."""
    judged = truth > 0
    i, j = truth[judged], proposal[judged]
    together_in_truth = i[:, None] == i
    together_in_proposal = (j[:, None] == j) & (j > 0) | np.eye(len(j), dtype=bool)
    both = together_in_truth & together_in_proposal
    return [together.sum() / len(j) ** 2 for together in (both, together_in_truth, together_in_proposal)]


def brute_force_information(truth, proposal):
    """Return I, H_A and H_B from dictionaries, where every background pixel has a label of its own."""
    labels = [(i, j or -k) for k, (i, j) in enumerate(zip(truth.flat, proposal.flat, strict=True), 1) if i]
    entropies = []
    for key in (lambda pair: pair, lambda pair: pair[0], lambda pair: pair[1]):
        shares = {}
        for pair in labels:
            shares[key(pair)] = shares.get(key(pair), 0) + 1 / len(labels)
        entropies.append(-sum(share * math.log(share) for share in shares.values()))
    H_AB, H_A, H_B = entropies
    return H_A + H_B - H_AB, H_A, H_B


def test_contingency_keeps_the_pairs_that_occur():
    table = contingency(np.array([[0, 5, 5], [5, 0, 2]]), np.array([[3, 0, 3], [3, 3, 0]]))
    rows = sorted(zip(*(column.tolist() for column in table), strict=True))
    assert rows == [(0, 3, 2), (2, 0, 1), (5, 0, 1), (5, 3, 2)]


@pytest.mark.parametrize(
    ("truth", "proposal", "f_score", "precision", "recall"),
    [
        (TWO_CELLS, MERGED, 2 / 3, 1 / 2, 1),  # S_A = 1/2, S_B = 1, S_AB = 1/2
        (np.ones((2, 2), int), np.array([[1, 2], [1, 2]]), 2 / 3, 1, 1 / 2),  # S_A = 1, S_B = 1/2, S_AB = 1/2
        (np.ones((2, 2), int), np.array([[1, 0], [1, 0]]), 6 / 11, 1, 3 / 8),  # S_AB = S_B = 1/4 + 1/8
        (np.ones((2, 2), int), np.zeros((2, 2), int), 2 / 5, 1, 1 / 4),  # four singletons: S_AB = S_B = 1/4
    ],
    ids=["merged", "split", "half missed", "missed"],
)
def test_v_rand_by_hand(truth, proposal, f_score, precision, recall):
    assert rand_scores(truth, proposal) == pytest.approx((f_score, precision, recall, 1 - f_score))
    assert v_rand(truth, proposal) == rand_scores(truth, proposal).f_score


@pytest.mark.parametrize(
    ("truth", "proposal", "f_score", "precision", "recall"),
    [
        (TWO_CELLS, MERGED, 0, 1, 0),  # H_A = ln 2, H_B = 0: nothing is claimed, so nothing wrongly
        (np.array([[1, 1, 2, 2]]), np.array([[1, 2, 3, 4]]), 2 / 3, 1 / 2, 1),  # H_A = ln 2, H_B = 2 ln 2 = H_AB
        (np.array([[1, 1, 2, 2]]), np.array([[1, 1, 2, 0]]), 4 / 5, 2 / 3, 1),  # H_A = ln 2, H_B = 1.5 ln 2 = H_AB
        (np.ones((2, 2), int), np.ones((2, 2), int), 1, 1, 1),  # one cell: no information, and none is missing
    ],
    ids=["merged", "split", "a pixel missed", "one cell"],
)
def test_v_info_by_hand(truth, proposal, f_score, precision, recall):
    assert info_scores(truth, proposal) == pytest.approx((f_score, precision, recall, 1 - f_score))
    assert v_info(truth, proposal) == info_scores(truth, proposal).f_score


def test_v_rand_compares_all_pairs_of_pixels(segmentations):
    S_AB, S_A, S_B = brute_force_rand(*segmentations)
    expected = 2 * S_AB / (S_A + S_B)
    assert rand_scores(*segmentations) == pytest.approx((expected, S_AB / S_B, S_AB / S_A, 1 - expected))


def test_v_info_is_the_mutual_information(segmentations):
    common, H_A, H_B = brute_force_information(*segmentations)
    expected = 2 * common / (H_A + H_B)
    assert info_scores(*segmentations) == pytest.approx((expected, common / H_B, common / H_A, 1 - expected))


def test_seg_by_hand():
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3, 3, 3]])
    proposal = np.array([[7, 7, 7, 0, 0, 5, 0, 0, 4, 4, 4]])
    assert seg_score(truth, proposal) == pytest.approx((3 / 4 + 0 + 1) / 3)  # half of cell 2 is not more than half
    assert seg_score(truth, np.where(proposal == 0, 4, proposal)) == pytest.approx((3 / 4 + 0 + 3 / 7) / 3)
    assert seg_score(TWO_CELLS, MERGED) == 2 / 5 * 2 / 2  # IoU counts: |R and S| = 4, |R or S| = 10, for both cells


def test_seg_compares_every_cell_with_every_cell(segmentations):
    truth, proposal = segmentations
    ious = []
    for i in np.unique(truth[truth > 0]):
        R, objects = truth == i, [proposal == j for j in np.unique(proposal[proposal > 0])]
        ious.append(sum((R & S).sum() / (R | S).sum() for S in objects if (R & S).sum() > R.sum() / 2))
    assert seg_score(truth, proposal) == pytest.approx(np.mean(ious)) and np.count_nonzero(ious) > 1


@pytest.mark.parametrize("measure", [v_rand, v_info, seg_score])
def test_numbers_do_not_matter_and_perfect_is_one(measure, segmentations, rng):
    truth, proposal = segmentations
    renumbered = np.concatenate([[0], 1 + rng.permutation(1000)])[proposal]
    assert measure(truth, renumbered) == pytest.approx(measure(truth, proposal))
    assert measure(truth, np.where(truth > 0, 100 - truth, 0)) == pytest.approx(1)
    assert 0 <= measure(truth, proposal) < 1


@pytest.mark.parametrize("measure", [v_rand, v_info, seg_score])
def test_unknown_pixels_are_as_if_cut_off(measure, segmentations):
    truth, proposal = segmentations
    known = np.zeros(truth.shape, bool)
    known[:, :4] = True
    assert measure(truth, proposal, known) == measure(truth[:, :4], proposal[:, :4]) != measure(truth, proposal)


@pytest.mark.parametrize("measure", [v_rand, v_info])
def test_what_the_proposal_says_on_the_border_does_not_matter(measure, segmentations):
    truth, proposal = segmentations
    assert measure(truth, np.where(truth == 0, 77, proposal)) == pytest.approx(measure(truth, proposal))


def test_rounding_takes_no_score_beyond_0_and_1():
    for count in range(2, 60):
        cells = 1 + np.arange(6 * count).reshape(6, count) % count  # one column each
        rows = 1 + np.arange(6)[:, None].repeat(count, axis=1)  # which say nothing about the columns
        for scores in (rand_scores(cells, cells), info_scores(cells, cells), info_scores(cells, rows)):
            assert 0 <= min(scores) and max(scores) <= 1


def test_merging_more_cells_is_worse():
    truth = np.repeat(np.arange(1, 9), 6)[None]
    proposals = [np.where(truth <= merged, 1, truth) for merged in range(1, 9)]
    for measure in (v_rand, v_info):
        scores = [measure(truth, proposal) for proposal in proposals]
        assert scores[0] == 1 and (np.diff(scores) < 0).all()


@pytest.mark.parametrize("measure", [v_rand, v_info, seg_score])
def test_a_truth_without_a_cell_judges_nothing(measure):
    assert math.isnan(measure(np.zeros((2, 3), int), MERGED[:, :3]))
    assert measure(MERGED, np.zeros((2, 5), int)) < 1


@pytest.mark.parametrize("measure", [v_rand, v_info, seg_score])
@pytest.mark.parametrize(
    ("truth", "proposal", "known", "message"),
    [
        (TWO_CELLS, MERGED.T, None, r"the same shape, got \(2, 5\) and \(5, 2\)"),
        (TWO_CELLS * 0.5, MERGED, None, r"truth must hold integers.*got float64; convert it"),
        (TWO_CELLS, -MERGED, None, r"proposal must hold labels from 0 .*got -1 to -1"),
        (TWO_CELLS, MERGED * 2**31, None, "proposal must hold labels .*got 2147483648 to 2147483648; number"),
        (TWO_CELLS, MERGED, MERGED, r"known must be a boolean array of shape \(2, 5\), got int64"),
        (TWO_CELLS, MERGED, np.ones((5, 2), bool), r"known must be .*got bool of shape \(5, 2\)"),
        (TWO_CELLS, MERGED, MERGED > 1, "known must be True at one pixel at least, got none"),
        (np.zeros((0, 5), int), np.zeros((0, 5), int), None, "truth must have pixels"),
    ],
)
def test_what_cannot_be_measured_is_said(measure, truth, proposal, known, message):
    with pytest.raises(InputError, match=message):
        measure(truth, proposal, known)


def test_the_largest_labels_do_not_overflow():
    truth = np.array([[2**31 - 1, 2**31 - 2]])
    assert v_rand(truth, truth) == v_info(truth, truth) == seg_score(truth, truth) == 1


def test_a_slice_with_thousands_of_cells_is_quick(rng):
    truth, proposal = (rng.integers(0, 100_000, (512, 512)) for _ in range(2))  # a matrix of pairs would take 80 GB
    began = time.process_time()  # of this process: other work on the machine does not count
    for measure in (v_rand, v_info, seg_score):
        assert 0 <= measure(truth, proposal) <= 1
    assert time.process_time() - began < 3
