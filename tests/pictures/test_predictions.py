"""The pictures of a run hold what they promise: read back from the file, pixel by pixel where it matters."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from minunet.data import Sample, read_image
from minunet.metrics.cells import classes_of
from minunet.pictures.colours import ALARM, HIT, MISS, UNKNOWN, right_and_wrong
from minunet.pictures.contact_sheet import plot_contact_sheet, strip
from minunet.pictures.curves import _smooth, plot_curves
from minunet.pictures.predictions import plot_predictions


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_right_and_wrong_pixels_have_their_colours():
    truth = np.array([[True, True, False, False]])
    proposal = np.array([[True, False, True, False]])
    overlay = right_and_wrong(truth, proposal)
    np.testing.assert_allclose(overlay[0], [rgb(HIT), rgb(MISS), rgb(ALARM), (0, 0, 0)])
    overlay = right_and_wrong(truth, proposal, known=np.array([[True, True, False, False]]))
    np.testing.assert_allclose(overlay[0], [rgb(HIT), rgb(MISS), rgb(UNKNOWN), rgb(UNKNOWN)])


def test_the_running_mean_looks_back_twenty_steps(rng):
    values = rng.random(50)
    expected = [values[max(0, i - 19) : i + 1].mean() for i in range(50)]
    np.testing.assert_allclose(_smooth(values), expected)


def test_curves_are_drawn_before_and_after_the_first_validation(tmp_path):
    history = [{"step": i + 1, "loss": 1 / (i + 1)} for i in range(3)]
    plot_curves(history, tmp_path / "early.png")
    history[-1] |= {"validation_error": 0.2, "majority_error": 0.3}
    plot_curves(history, tmp_path / "late.png")
    early, late = (read_image(tmp_path / f"{name}.png") for name in ("early", "late"))
    assert (early != late).any()


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({}, "pixel error, held-out images"),
        ({"images": "windows in 4 of 20 held-out images"}, "pixel error\nwindows in 4 of 20 held-out images"),
    ],
)
def test_the_label_of_the_curves_says_what_they_are_of(tmp_path, monkeypatch, options, label):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: figures.append(figure) or Path(path).touch())
    plot_curves([{"step": 1, "loss": 1.0}], tmp_path / "curves.png", **options)
    assert figures[0].axes[1].get_ylabel() == label
    figures[0].draw_without_rendering()
    assert figures[0].axes[1].yaxis.label.get_window_extent().height < figures[0].axes[1].bbox.height


def test_predictions_have_a_row_a_sample_for_grey_and_colour(tmp_path, rng):
    labels = (rng.random((20, 30)) > 0.5).astype(np.uint8)
    samples = [Sample(f"s{i}", rng.random((C, 20, 30)), labels, None) for i, C in enumerate((1, 3, 1, 1))]
    p = rng.random((20, 30))
    heights = []
    for count in (1, 2):
        plot_predictions(samples, [np.stack([1 - p, p])] * 4, tmp_path / "p.png", count)
        heights.append(read_image(tmp_path / "p.png").shape[1])
    assert heights[1] > 1.5 * heights[0]


def without_cells(name, wrong, channels=1):
    """Return a sample without a cell, and probabilities that find one in the first `wrong` rows of 20."""
    p = np.zeros((20, 30))
    p[:wrong] = 1
    labels = np.zeros((20, 30), np.uint8)
    return Sample(name, np.ones((channels, 20, 30)), labels, None), np.stack([1 - p, p])


def test_a_strip_is_image_truth_and_right_and_wrong(rng):
    for channels in (1, 3):
        sample, p = without_cells("a", 5, channels)
        sample.labels[:, :10] = 1
        drawn = strip(sample._replace(image=rng.random(sample.image.shape)), classes_of(p))
        assert drawn.shape == (20, 92, 3)
        np.testing.assert_array_equal(drawn[:, 31:61, 0], sample.labels)
        np.testing.assert_allclose(drawn[:, 62:], right_and_wrong(sample.labels > 0, p[1] > 0.5))
        assert len(np.unique(drawn[:, :30])) > 100


@pytest.mark.parametrize("count", [2, 5, 14])
def test_the_contact_sheet_shows_the_worst_first(tmp_path, count):
    """All that is wrong in the second-last sample is drawn at the top of the sheet."""
    wrong = [0] * count
    wrong[max(0, count - 2)] = 20
    samples, probabilities = zip(*(without_cells(f"s{i}", rows) for i, rows in enumerate(wrong)), strict=True)
    plot_contact_sheet(samples, probabilities, [rows / 20 for rows in wrong], tmp_path / "sheet.png")
    sheet = read_image(tmp_path / "sheet.png") / 255  # (3 or 4, H, W)
    vermilion = np.abs(sheet[:3] - np.reshape(rgb(ALARM), (3, 1, 1))).max(axis=0) < 0.02
    black = sheet[:3].max(axis=0) < 0.02
    H, W = vermilion.shape
    columns, rows = (1, count) if count <= 3 else (2, -(-min(count, 12) // 2))
    ys, xs = np.nonzero(vermilion)
    assert np.median(ys) < 1.2 * H / rows and np.median(xs) < W / columns
    area = 1 / (rows * columns)  # of a strip; a third of it is one picture
    assert 0.15 * area < vermilion.mean() < area / 3
    assert black.mean() > 0.3 * min(count, 12) * area  # truths at least


def test_the_contact_sheet_says_that_truth_is_not_known(tmp_path):
    sample, p = without_cells("a", 3)
    known = np.zeros((20, 30), bool)
    known[:2] = True
    sample = sample._replace(known=known)
    np.testing.assert_allclose(strip(sample, classes_of(p))[5, 70], rgb(UNKNOWN))
    plot_contact_sheet([sample], [p], [1.0], tmp_path / "sheet.png")


@pytest.mark.parametrize("sizes", [[(30, 60)] * 3, [(60, 30)] * 2, [(30, 60), (60, 30), (20, 20)]])
def test_the_four_pictures_of_an_image_lie_in_one_row_and_as_large(tmp_path, monkeypatch, sizes):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: figures.append(figure) or Path(path).touch())
    truths = [np.eye(*size, dtype=np.uint8) for size in sizes]
    samples = [Sample("a", truth[None] + 0.0, truth, None) for truth in truths]
    plot_predictions(samples, [np.stack([1.0 - truth, truth]) for truth in truths], tmp_path / "predictions.png")
    (figure,) = figures
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in figure.axes[: 4 * len(sizes)]]
    for row in range(len(sizes)):
        first, *others = boxes[4 * row : 4 * row + 4]
        for box in others:
            assert (box.y0, box.y1, box.width) == pytest.approx((first.y0, first.y1, first.width))
