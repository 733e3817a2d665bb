"""How touching cells are told apart: chosen by SEG or V_rand, by what the truth says; nothing is split without need."""

import numpy as np
import pytest

from minunet import label_cells
from minunet.data import Sample
from minunet.metrics import seg_score, v_rand
from minunet.metrics.chosen_split import NOTHING, SPLITS, SplitChoice, choose_split
from minunet.metrics.touching import SPLIT

ROW = np.array([0.1, 0.6, 0.9, 0.9, 0.7, 0.9, 0.9, 0.6, 0.1])


def sample_of(labels, instances=None):
    return Sample("row", labels[None] + 0.0, (labels > 0).astype(np.uint8), instances)


@pytest.fixture
def probabilities():
    p = np.array([ROW] * 4)
    return [np.stack([1 - p, p])]


TWO = np.array([[0, 1, 1, 1, 0, 2, 2, 2, 0]] * 4)
ONE = np.array([[0, 1, 1, 1, 1, 1, 1, 1, 0]] * 4)
TOUCHING = np.array([[0, 1, 1, 1, 1, 2, 2, 2, 0]] * 4)


def test_two_cells_of_the_truth_are_told_apart_by_seg(probabilities):
    choice = choose_split([sample_of(TWO, TWO)], probabilities, 0.5)
    assert (choice.split, choice.measure) == (0.2, "SEG")  # as good as 0.1, and splits less; 0.2 is the valley's depth
    for split in SPLITS:
        assert choice.scores[split] == seg_score(TWO, label_cells(probabilities[0], 0.5, split))
    assert choice.in_words("1 held-out image") == (
        "split 0.2: cells that touch are told apart where the probability falls by 0.2; on 1 held-out image, SEG is "
        "0.875 so, and 0.429 where they are one"
    )


def test_instances_that_touch_count_though_the_labels_are_one_piece(probabilities):
    assert choose_split([sample_of(ONE, TOUCHING)], probabilities, 0.5).split == 0.2


def test_what_is_one_piece_in_the_truth_stays_one_by_v_rand(probabilities):
    """As vessels are, of which the network is less sure here and there."""
    choice = choose_split([sample_of(ONE)], probabilities, 0.5)
    assert (choice.split, choice.measure) == (NOTHING, "V_rand")
    assert choice.scores[SPLIT] == v_rand(ONE, label_cells(probabilities[0], 0.5, SPLIT))
    worse = f"{choice.scores[SPLIT]:.3f}"
    words = f"split 1: cells that touch stay one; on x, V_rand is 1.000 so, and {worse} if 0.1 is enough"
    assert choice.in_words("x") == words


def test_the_threshold_counts_and_images_of_both_kinds_go_by_v_rand(probabilities):
    choice = choose_split([sample_of(TWO, TWO)], probabilities, 0.75)  # the valley is no cell
    assert choice.split == NOTHING and len(set(choice.scores.values())) == 1
    both = choose_split([sample_of(TWO, TWO), sample_of(TWO)], probabilities * 2, 0.5)
    assert both.measure == "V_rand" and both.split == 0.2


def test_no_cell_in_the_truth_says_nothing(probabilities):
    choice = choose_split([sample_of(0 * TWO, 0 * TWO)], probabilities, 0.5)
    assert choice.split == SPLIT and np.isnan(choice.scores[SPLIT])
    assert isinstance(choice, SplitChoice) and "x without a cell do not tell" in choice.in_words("x")
