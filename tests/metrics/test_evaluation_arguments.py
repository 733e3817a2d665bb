"""The arguments of evaluate: the threshold reaches every measure, a bar is shown if asked for, the rest is refused."""

import sys

import numpy as np
import pytest
from terminal import Terminal

import minunet as m
from minunet.data import Sample
from minunet.metrics import components, evaluate, pixel_error_f_score
from minunet.metrics.cells import classes_of
from minunet.metrics.evaluation import mean
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
            "pixel_error": m.pixel_error(truth, proposal),
            "majority_pixel_error": pytest.approx(min(truth.mean(), 1 - truth.mean())),
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
    assert "and of connected pieces" in table(split) and "connected pieces" not in table(whole)
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
