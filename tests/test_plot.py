"""The pictures of a run hold what they promise: read back from the file, pixel by pixel where it matters."""

import numpy as np

from minunet.data import Sample, read_image
from minunet.plot import ALARM, HIT, MISS, _right_and_wrong, _smooth, plot_curves, plot_predictions


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_right_and_wrong_pixels_have_their_colours():
    truth = np.array([[True, True, False, False]])
    proposal = np.array([[True, False, True, False]])
    overlay = _right_and_wrong(truth, proposal)
    np.testing.assert_allclose(overlay[0], [rgb(HIT), rgb(MISS), rgb(ALARM), (0, 0, 0)])


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


def test_predictions_have_a_row_a_sample_for_grey_and_colour(tmp_path, rng):
    labels = (rng.random((20, 30)) > 0.5).astype(np.uint8)
    samples = [Sample(f"s{i}", rng.random((C, 20, 30)), labels, None, None) for i, C in enumerate((1, 3, 1, 1))]
    p = rng.random((20, 30))
    heights = []
    for count in (1, 2):
        plot_predictions(samples, [np.stack([1 - p, p])] * 4, tmp_path / "p.png", count)
        heights.append(read_image(tmp_path / "p.png").shape[1])
    assert heights[1] > 1.5 * heights[0]
