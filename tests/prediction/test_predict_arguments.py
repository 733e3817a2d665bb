"""What predict takes besides the plain case: masks, lists, bars, files that are let go of, and lists of samples."""

import copy
import sys

import numpy as np
import pytest
from terminal import Terminal

from minunet import InputError, init_unet, predict
from minunet.data import Sample
from minunet.prediction import checks
from minunet.prediction.predict import predict_samples

predicting = sys.modules[predict.__module__]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(20), r"image must have shape \(2, H, W\) for this network, got \(20,\)"),
        (np.zeros((20, 20)), r"image must have shape \(2, H, W\) for this network, got \(1, 20, 20\)"),
        (np.zeros((1, 2, 20, 20)), r"image must have shape \(2, H, W\) for this network, got \(1, 2, 20, 20\)"),
        (np.ma.masked_less(np.zeros((2, 20, 20)), 1), "image must be an array without a mask"),
        (np.zeros((2, 20, 20), bool).astype(str), "image must hold numbers, got <U5"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(rng, image, message):
    params = init_unet(rng, in_channels=2, base_channels=2, depth=1)
    with pytest.raises(InputError, match=message):
        predict(params, image)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([[0.0]], r"out must be an array of floats \(3, 20, 25\), got a list"),
        (np.ma.masked_less(np.zeros((3, 20, 25)), 1), "out must be an array without a mask"),
    ],
)
def test_where_no_result_can_be_written_is_refused(small_unet, out, message):
    with pytest.raises(InputError, match=message):
        predict(small_unet, np.zeros((20, 25)), out=out)


def test_a_list_and_booleans_are_images(small_unet, rng):
    image = rng.random((20, 25)) < 0.5
    expected = predict(small_unet, image - 0.5, normalisation={"mean": np.zeros(1), "std": np.ones(1)})
    for given in (image, image.tolist()):
        found = predict(small_unet, given, normalisation={"mean": np.full(1, 0.5), "std": np.ones(1)})
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_large_logits_are_no_large_powers(small_unet, rng):
    image = rng.standard_normal((20, 25))
    raised = copy.deepcopy(small_unet)
    raised["head"]["bias"] += 1000  # exp(1000) is infinite, and the softmax is the same
    np.testing.assert_allclose(predict(raised, image), predict(small_unet, image), rtol=1e-9)


def test_files_are_let_go_of_after_each_slice_and_each_tile(small_unet, rng, tmp_path, monkeypatch):
    image = np.memmap(tmp_path / "image", np.float64, "w+", shape=(20, 25))
    image[:] = rng.standard_normal(image.shape)
    out = np.memmap(tmp_path / "out", np.float64, "w+", shape=(3, 20, 25))
    let_go = []
    for module in (checks, predicting):
        monkeypatch.setattr(module, "let_go", let_go.append)
    assert len(list(checks.slices_of_rows(image, 75))) == len(let_go) == 7
    let_go.clear()
    predict(small_unet, image, 52, out=out)  # 2x3 tiles of 12 pixels
    assert sum(array is image for array in let_go) >= 6 and sum(array is out for array in let_go) >= 6


def test_slices_of_rows_are_each_row_once():
    for height, width, pixels in ((10, 4, 12), (9, 4, 12), (3, 50, 12), (1, 1, 12)):
        slices = list(checks.slices_of_rows(np.zeros((2, height, width)), pixels))
        assert [row for rows in slices for row in range(height)[rows]] == list(range(height))
        assert all(len(range(height)[rows]) == min(height, max(1, pixels // width)) for rows in slices[:-1])


@pytest.fixture
def samples(rng):
    labels = np.zeros((20, 25), np.uint8)
    return [Sample(f"{i}", rng.normal(80, 30, (1, 20, 25)), labels, None) for i in range(3)]


def test_samples_are_predicted_one_by_one_with_the_same_options(small_unet, samples):
    options = {"tile": 52, "rotations": 4, "normalisation": "image"}
    found = predict_samples(small_unet, samples, **options)
    assert len(found) == 3
    for probabilities, sample in zip(found, samples, strict=True):
        np.testing.assert_array_equal(probabilities, predict(small_unet, sample.image, **options))


def test_bars_are_shown_if_asked_for_and_leave_nothing_behind(small_unet, samples, monkeypatch):
    def shown(count, progress):
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        predict_samples(small_unet, samples[:count], progress, tile=52, normalisation="image")
        assert not terminal.getvalue().endswith("\n")
        return terminal.getvalue()

    assert shown(3, False) == ""
    assert "tile/s" in shown(1, True) and "predicting" not in shown(1, True)  # one image needs no bar of images
    assert "tile/s" in shown(2, True) and "predicting:   0%" in shown(2, True) and "image/s" in shown(2, True)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    predict(small_unet, samples[0].image, normalisation="image")
    assert terminal.getvalue() == ""
