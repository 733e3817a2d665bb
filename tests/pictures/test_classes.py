"""With more than two classes the pictures of a run show them: each its colour, and which pixels are wrong."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from minunet.data import Sample, read_image
from minunet.pictures.classes import class_names, in_class_colours, palette, wrong_classes
from minunet.pictures.colours import UNKNOWN
from minunet.pictures.contact_sheet import plot_contact_sheet, strip_of_classes
from minunet.pictures.overlay import COLOURS
from minunet.pictures.predictions import plot_predictions
from minunet.training.run_folder import write_evaluation

GREY = tuple(int(UNKNOWN[i : i + 2], 16) / 255 for i in (1, 3, 5))
WHITE, BLACK = (1, 1, 1), (0, 0, 0)
YELLOW, BLUE = COLOURS[0] / 255, COLOURS[1] / 255


@pytest.fixture
def sample():
    """Return a sample of three classes, a third of its pixels each, 20 x 30."""
    labels = np.repeat([0, 1, 2], 10)[None].repeat(20, axis=0).astype(np.uint8)
    return Sample("a", labels[None] + 0.0, labels, None)


@pytest.fixture
def probabilities(sample):
    """Return probabilities that are right but for class 2, of which the right half is called 1."""
    called = sample.labels.copy()
    called[:, 25:] = 1
    return np.eye(3)[called].transpose(2, 0, 1)


@pytest.fixture
def figures(monkeypatch):
    """Return the figures that are saved; nothing is written."""
    made = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: made.append(figure) or Path(path).touch())
    return made


def share(picture, colour):
    """Return the share of the pixels (C, H, W) that have a colour."""
    return np.mean(np.abs(picture[:3] / 255 - np.reshape(colour, (3, 1, 1))).max(axis=0) < 0.02)


def test_a_class_has_the_colour_of_its_outlines_and_no_two_of_21_are_alike():
    colours = palette(22)
    np.testing.assert_allclose(colours[1:8] * 255, COLOURS, rtol=1e-6)
    distances = np.abs(colours[:, None] - colours).max(axis=2) + np.eye(22)
    assert distances.min() > 0.1 and np.abs(colours - 1).max(axis=1).min() > 0.1  # nor white
    np.testing.assert_array_equal(palette(30)[22], colours[1])


def test_a_strip_is_image_truth_prediction_and_the_pixels_of_a_wrong_class(sample, probabilities):
    called = probabilities.argmax(axis=0)
    drawn = strip_of_classes(sample, called, 3)
    assert drawn.shape == (20, 4 * 30 + 3, 3) and drawn.dtype == np.float32
    image, truth, prediction, wrong = (drawn[0, 31 * i : 31 * i + 30] for i in range(4))
    np.testing.assert_allclose(image[:, 0], np.repeat([0, 0.5, 1], 10))
    np.testing.assert_allclose(truth[[0, 10, 20, 29]], [BLACK, YELLOW, BLUE, BLUE])
    np.testing.assert_allclose(prediction[[0, 10, 20, 29]], [BLACK, YELLOW, BLUE, YELLOW])
    np.testing.assert_allclose(wrong[[0, 10, 20, 29]], [BLACK, BLACK, BLACK, WHITE])


def test_where_the_truth_is_not_known_it_is_grey_and_nothing_is_wrong(sample, probabilities):
    known = sample.labels < 2
    np.testing.assert_allclose(in_class_colours(sample.labels, 3, known)[0, [15, 25]], [YELLOW, GREY])
    np.testing.assert_allclose(
        wrong_classes(sample.labels, 0 * sample.labels, known)[0, [5, 15, 25]], [BLACK, WHITE, GREY]
    )


def test_a_run_of_three_classes_writes_both_pictures_in_the_colours_of_the_classes(tmp_path, sample, probabilities):
    write_evaluation([sample], [probabilities], tmp_path, values="0,128,255")
    for name in ("contact_sheet.png", "predictions.png"):
        picture = read_image(tmp_path / name)
        yellow, blue, white = (share(picture, colour) for colour in (YELLOW, BLUE, WHITE))
        assert yellow > 1.4 * blue > 0.05 and white > blue / 4
        assert share(picture, BLACK) > yellow
    of_cells = [Sample("a", sample.image, (sample.labels > 0).astype(np.uint8), None)]
    write_evaluation(of_cells, [probabilities], tmp_path, binary=True)
    assert share(read_image(tmp_path / "contact_sheet.png"), YELLOW) == 0


def test_the_legend_names_the_classes_that_are_shown_and_their_values(sample, probabilities, figures, tmp_path):
    names = class_names(5, "0,128,2,200,255")
    assert names[:3] == ["class 0", "class 1 (128)", "class 2"] and class_names(3) == ["class 0", "class 1", "class 2"]
    assert class_names(3, "0,128") == class_names(3)
    plot_contact_sheet([sample], [probabilities], [0.2], tmp_path / "c.png", names=names)
    plot_predictions([sample._replace(known=sample.labels < 2)], [probabilities], tmp_path / "p.png", names=names)
    sheet, predictions = ([text.get_text() for text in figure.legends[0].texts] for figure in figures)
    assert sheet == ["class 0", "class 1 (128)", "class 2", "pixel of a wrong class"]
    assert predictions == [*sheet, "truth not known"]
    assert [axes.get_title() for axes in figures[1].axes] == ["image", "truth", "prediction", "pixels of a wrong class"]
    assert figures[1].axes[3].get_xlabel() == "pixel error 0.0000"


@pytest.mark.parametrize("names", [None, class_names(3)])
def test_a_long_name_is_cut_off_beside_its_pictures(sample, probabilities, figures, tmp_path, names):
    long = sample._replace(name="0acd2c223d300ea55d0546797713851e818e5c697d073b7f4091b96ce0f3d2fe")
    plot_predictions([long], [probabilities], tmp_path / "p.png", names=names)
    assert figures[0].axes[0].get_ylabel() == "0acd2c223d300ea55d0546797..."


def test_the_legend_of_many_classes_stays_on_the_page(sample, figures, tmp_path):
    labels = (np.arange(600).reshape(20, 30) % 21).astype(np.uint8)
    many = Sample("a", labels[None] + 0.0, labels, None)
    names = class_names(21, ",".join(f"#{k:06x}" for k in range(21)))
    p = np.eye(21)[labels].transpose(2, 0, 1)
    plot_contact_sheet([many], [p], [0.0], tmp_path / "c.png", names=names)
    plot_predictions([many], [p], tmp_path / "p.png", names=names)
    for figure in figures:
        figure.draw_without_rendering()
        box, page = figure.legends[0].get_window_extent(), figure.bbox
        assert box.x0 >= page.x0 and box.y0 >= page.y0 and box.x1 <= page.x1
