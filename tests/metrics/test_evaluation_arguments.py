"""The arguments of evaluate: the threshold reaches every measure, a bar is shown if asked for, the rest is refused."""

import sys

import numpy as np
import pytest
from terminal import Terminal

import minunet as m
from minunet.data import Sample
from minunet.metrics import components, evaluate, pixel_error_f_score
from minunet.metrics.cells import classes_of
from minunet.metrics.evaluation import mean, pixel_errors
from minunet.metrics.table import table
from minunet.metrics.touching import SPLIT, split_touching


@pytest.fixture
def samples(rng):
    """Return three samples with cells of two classes, of which the images have different sizes."""
    made = []
    for shape in ((20, 30), (12, 25), (31, 14)):
        labels = np.kron(rng.integers(0, 3, (shape[0] // 4 + 1, shape[1] // 4 + 1)), np.ones((4, 4), int))
        labels = labels[: shape[0], : shape[1]].astype(np.uint8)
        made.append(Sample(f"{shape}", labels[None] + 0.0, labels, components(labels > 0)))
    return made


@pytest.fixture
def probabilities(samples, rng):
    """Return for each sample: the truth for three pixels in four, and noise."""
    made = []
    for sample in samples:
        sure = np.eye(3)[sample.labels].transpose(2, 0, 1)
        noise = rng.dirichlet([1, 1, 1], sample.labels.shape).transpose(2, 0, 1)
        made.append(0.4 * sure + 0.6 * noise)
    return made


def test_the_threshold_reaches_every_measure(samples, probabilities):
    evaluation = evaluate(samples, probabilities, threshold=0.7)
    assert evaluation["threshold"] == 0.7
    for row, sample, p in zip(evaluation["images"], samples, probabilities, strict=True):
        truth, proposal = sample.labels > 0, classes_of(p, 0.7) > 0
        assert (proposal != (classes_of(p) > 0)).any()
        cells = split_touching(proposal, 1 - p[0], 0.7, SPLIT)
        assert row == {
            "name": sample.name,
            "pixel_error": np.mean(classes_of(p, 0.7) != sample.labels),
            "majority_pixel_error": pytest.approx(1 - np.bincount(sample.labels.ravel()).max() / truth.size),
            "pixel_error_f_score": pixel_error_f_score(truth, proposal),
            "v_rand": m.v_rand(sample.instances, cells),
            "v_info": m.v_info(sample.instances, cells),
            "warping_error": m.warping_error(truth, proposal, 1 - p[0]),
            "iou": m.iou(truth, proposal),
            "seg": m.seg_score(sample.instances, cells),
        }


def test_the_split_reaches_the_cells_and_not_the_best_over_thresholds():
    p = np.array([[0.1, 0.6, 0.9, 0.9, 0.7, 0.9, 0.9, 0.6, 0.1]] * 4)
    cells = np.array([[0, 1, 1, 1, 0, 2, 2, 2, 0]] * 4)
    sample = Sample("two", p[None], (cells > 0).astype(np.uint8), cells)
    split, whole = (evaluate([sample], [np.stack([1 - p, p])], split=fall) for fall in (0.1, 1))
    assert (split["split"], whole["split"]) == (0.1, 1)
    assert split["seg"] == pytest.approx((1 + 3 / 4) / 2) and whole["seg"] == pytest.approx(3 / 7)
    assert split["v_rand"] > whole["v_rand"] and split["pixel_error"] == whole["pixel_error"]
    assert split["best_over_thresholds"] == whole["best_over_thresholds"]
    assert "0.9 and of connected pieces" in table(split) and "connected pieces" not in table(whole)
    with pytest.raises(m.InputError, match="split must be"):
        evaluate([sample], [np.stack([1 - p, p])], split=0)


def test_classes_are_counted_over_all_images_together(samples, probabilities):
    """As in one long image, (1, all pixels)."""
    truth = np.concatenate([sample.labels.ravel() for sample in samples])
    for threshold in (0.5, 0.7):
        proposal = np.concatenate([classes_of(p, threshold).ravel() for p in probabilities])
        rows = evaluate(samples, probabilities, threshold=threshold)["classes"]
        assert [row["class"] for row in rows] == [0, 1, 2]
        for k, row in enumerate(rows):
            assert row["share"] == pytest.approx((truth == k).mean())
            assert row["pixel_error"] == pytest.approx(((truth == k) != (proposal == k)).mean())
            assert row["iou"] == pytest.approx(m.iou(truth == k, proposal == k))
            assert row["dice"] == pytest.approx(1 - pixel_error_f_score(truth == k, proposal == k))


def test_a_class_that_is_one_wrong_pixel_is_there():
    labels = np.array([[0, 1, 2]], np.uint8)
    p = np.eye(3)[[[0, 1, 0]]].transpose(2, 0, 1)
    rows = evaluate([Sample("a", labels[None] + 0.0, labels, None)], [p])["classes"]
    assert [(row["iou"], row["dice"]) for row in rows] == [(1 / 2, 2 / 3), (1, 1), (0, 0)]


def test_the_mean_is_over_the_images_that_have_the_measure():
    rows = [{"name": "a", "iou": 0.5, "seg": 1.0}, {"name": "b", "iou": 0.75}, {"name": "c", "iou": float("nan")}]
    assert mean(rows) == {"iou": 0.625, "seg": 1.0}


def test_bars_are_shown_if_asked_for_and_leave_nothing_behind(samples, probabilities, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    evaluate(samples, probabilities)
    assert terminal.getvalue() == ""
    evaluate(samples, probabilities, progress=True)
    shown = terminal.getvalue()
    assert "measuring:   0%" in shown and "trying thresholds:   0%" in shown and shown.count("0/3 ") == 2
    assert shown.count("image/s") >= 2 and "\n" not in shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:2], "samples and probabilities must be of one length, got 3 and 2"),
        (lambda p: [p[0], p[1][0], p[2]], r"for labels \(H, W\) = \(12, 25\), got \(12, 25\)"),
        (lambda p: [p[0], p[1][:, :-1], p[2]], r"for labels \(H, W\) = \(12, 25\), got \(3, 11, 25\)"),
        (lambda p: [p[0][:0], p[1], p[2]], "probabilities must be .* of each class, got shape"),
        (lambda p: [p[0], p[1], p[2] * np.nan], "probabilities must be finite"),
        (lambda p: [p[0], p[1], 255 * p[2]], "probabilities must be from 0 to 1"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(samples, probabilities, change, message):
    with pytest.raises(m.InputError, match=message):
        evaluate(samples, change(probabilities))


def test_what_are_no_samples_is_refused(samples, probabilities):
    with pytest.raises(m.InputError, match="samples must be a list of Sample, got a tuple"):
        evaluate((1, 2, 3), probabilities)


def test_the_threshold_that_was_chosen_is_among_those_that_are_tried():
    """0.85 parts these two images, and no tenth does."""
    labels = np.array([[0, 1]], np.uint8)
    p = np.array([[0.84, 0.86]])
    sample = Sample("a", labels[None] + 0.0, labels, None)
    evaluation = evaluate([sample], [np.stack([1 - p, p])], threshold=0.85, split=1)
    assert evaluation["best_over_thresholds"]["pixel_error"] == {"score": 0, "threshold": 0.85}
    shown = table(evaluation)
    assert ["pixel_error", "0.0000", "0.85"] in [line.split() for line in shown.splitlines()]
    assert shown.endswith("these are of the thresholds 0, 0.1, ..., 0.9 and 0.85")
    at_half = evaluate([sample], [np.stack([1 - p, p])], split=1)
    assert at_half["best_over_thresholds"]["pixel_error"] == {"score": 1 / 2, "threshold": 0}
    assert table(at_half).endswith("these are of the thresholds 0, 0.1, ..., 0.9")


@pytest.mark.parametrize("rows_at_a_time", [1, 2**18])
def test_with_three_classes_a_pixel_is_wrong_if_its_class_is(monkeypatch, rows_at_a_time):
    """By hand: one cell of class 1 called 2, which is no error of cell against background."""
    monkeypatch.setattr("minunet.metrics.touching.STRIP", rows_at_a_time)
    truth = np.array([[0, 0, 1, 1, 2, 2, 2, 0]], np.uint8).repeat(3, axis=0)
    proposal = np.array([[0, 0, 2, 1, 2, 2, 0, 1]]).repeat(3, axis=0)
    p = np.eye(3)[proposal].transpose(2, 0, 1)
    known = np.ones(truth.shape, bool)
    known[:, 7] = False
    sample, partly = (Sample("a", truth[None] + 0.0, truth, None, mask) for mask in (None, known))
    for one, error, majority in ((sample, 3 / 8, 5 / 8), (partly, 2 / 7, 4 / 7)):
        expected = {"name": "a", "pixel_error": error, "majority_pixel_error": majority}
        evaluation = evaluate([one], [p])
        assert pixel_errors([one], [p]) == [expected] and evaluation["pixel_error"] == error
        assert {name: evaluation["images"][0][name] for name in expected} == expected
    assert evaluation["iou"] == 4 / 5  # of cells of any class
    assert evaluation["best_over_thresholds"]["pixel_error"]["score"] == 1 / 7
    shown = table(evaluation)
    assert "\npixel_error counts pixels of a wrong class; the other measures are of cell, of any" in shown
    assert shown.endswith("here pixel_error, too, is of cell against background")
    assert max(map(len, shown.splitlines())) <= 110


def test_a_truth_without_classes_is_cell_or_background_for_any_network():
    labels = np.array([[0, 1, 1, 0]], np.uint8)
    p = np.eye(3)[[[0, 1, 2, 2]]].transpose(2, 0, 1)
    evaluation = evaluate([Sample("a", labels[None] + 0.0, labels, None)], [p], binary=True)
    assert evaluation["pixel_error"] == 1 / 4 and evaluation["majority_pixel_error"] == 1 / 2
    assert "classes" not in evaluation and "wrong class" not in table(evaluation)


def test_truths_that_the_network_cannot_have_or_nobody_knows_are_refused():
    labels = np.array([[0, 1, 3]], np.uint8)
    p = np.eye(3)[[[0, 1, 2]]].transpose(2, 0, 1)
    sample = Sample("a", labels[None] + 0.0, labels, None)
    with pytest.raises(m.InputError, match="labels must be below 3, as the probabilities are of 3 classes, got 3"):
        pixel_errors([sample], [p])
    nowhere = sample._replace(labels=labels % 3, known=np.zeros(labels.shape, bool))
    with pytest.raises(m.InputError, match="known must be True at one pixel at least"):
        pixel_errors([nowhere], [p])
