"""What an image looks like in numbers, and when it is called foreign."""

import json

import numpy as np
import pytest

from minunet import InputError
from minunet.data import Normalisation, Sample, fit_normalisation, synthetic_cells
from minunet.data.image_statistics import (
    MARGIN,
    WORDS,
    check_statistics,
    differences,
    image_statistics,
    statistics_of_training,
    what_is_foreign,
)

BY_IMAGE = Normalisation("image")


def cells(seed, side=128):
    return 200 * synthetic_cells(np.random.default_rng(seed), side, side)[0][None]


@pytest.fixture(scope="module")
def samples():
    return [Sample(str(seed), cells(seed), None, None) for seed in range(12)]


@pytest.fixture(scope="module")
def ranges(samples):
    return statistics_of_training(samples, BY_IMAGE)


def names_of(found):
    return [words.split("(")[1].split()[0] for words in found]


def test_the_numbers_by_hand():
    ramp = np.broadcast_to(np.arange(96.0), (64, 96))[None]
    found = image_statistics(ramp, BY_IMAGE)
    assert found["median"] == pytest.approx(0.5, abs=0.01)
    assert found["spread"] == pytest.approx(0.5, abs=0.01)
    assert found["detail"] == pytest.approx((4**2 - 1) / (96**2 - 1))  # within blocks of 4 columns
    assert found["size"] == pytest.approx(1 - (16**2 - 1) / (96**2 - 1))
    assert found["colour"] == 0
    dark = np.where(np.arange(6400) % 16 < 1, 100.0, 0.0).reshape(1, 80, 80)
    assert image_statistics(dark, BY_IMAGE)["median"] == 0


def test_noise_has_detail_and_no_size(rng):
    found = image_statistics(rng.standard_normal((1, 160, 160)), BY_IMAGE)
    assert found["detail"] == pytest.approx(1 - 1 / 16, abs=0.02)
    assert found["size"] == pytest.approx(1 / 256, abs=0.01)


def test_brightness_counts_where_one_normalisation_holds_for_all(samples):
    normalisation = fit_normalisation(samples)
    found = image_statistics(samples[0].image, normalisation)
    assert abs(found["brightness"]) < 0.5 and found["contrast"] == pytest.approx(0, abs=0.5)
    assert set(found) == set(WORDS) == set(MARGIN)
    ranges = statistics_of_training(samples, normalisation)
    assert "brightness" in names_of(what_is_foreign(samples[0].image + 900, normalisation, ranges))
    assert what_is_foreign(samples[0].image * 16 + 900, BY_IMAGE, statistics_of_training(samples, BY_IMAGE)) == []


def test_another_image_of_the_kind_is_not_foreign(ranges):
    for seed in range(100, 110):
        assert what_is_foreign(cells(seed), BY_IMAGE, ranges) == []
    assert what_is_foreign(cells(100, 300), BY_IMAGE, ranges) == []


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda image: -image, "median", "more of it bright"),
        (lambda image: image.repeat(8, 1).repeat(8, 2), "size", "larger structures"),
        (lambda image: image[..., ::8, ::8], "detail", "more fine detail or noise"),
        (lambda image: np.concatenate([image, image / 2, 0 * image]), "colour", "more colourful"),
    ],
)
def test_what_is_foreign_is_said(ranges, change, name, words):
    found = what_is_foreign(change(cells(100, 256)), BY_IMAGE, ranges)
    assert any(
        said.startswith(f"{words} ({name} ") and " in the training image most like it)" in said for said in found
    ), found


def test_a_network_without_ranges_calls_nothing_foreign(samples):
    assert what_is_foreign(-samples[0].image, BY_IMAGE, None) == []


def test_a_large_image_is_looked_at_in_bands(monkeypatch):
    image = cells(3, 512)
    whole = image_statistics(image, BY_IMAGE)
    monkeypatch.setattr("minunet.data.image_statistics.ENOUGH", 256 * 512)
    in_bands = image_statistics(image, BY_IMAGE)
    assert in_bands != whole
    for name, value in whole.items():
        assert in_bands[name] == pytest.approx(value, abs=0.05), name


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 50), (3, 17, 5)])
@pytest.mark.parametrize("value", [0, 1e30])
def test_any_image_has_numbers(shape, value):
    found = image_statistics(np.full(shape, value, np.float32), BY_IMAGE)
    assert np.isfinite(list(found.values())).all()
    json.dumps(found)


def test_few_images_leave_wider_margins():
    assert differences({"median": 0.4}, {"median": [0.1]}) == []
    assert differences({"median": 0.4}, {"median": [0.1] * 100}) == [
        "more of it bright (median 0.40, and 0.10 in the training image most like it)"
    ]
    assert differences({"median": 0.4, "size": 0.2}, {"median": [0.1] * 50 + [0.45] * 50}) == []


def test_all_numbers_must_be_those_of_one_training_image():
    """Each number alone has been seen before, the two together have not."""
    two_kinds = {"median": [0.1] * 50 + [0.8] * 50, "size": [0.2] * 50 + [0.7] * 50}
    assert differences({"median": 0.1, "size": 0.2}, two_kinds) == []
    assert len(differences({"median": 0.1, "size": 0.7}, two_kinds)) == 1
    assert [words[:6] for words in differences({"median": 0.45, "size": 0.0}, two_kinds)] == ["more o", "smalle"]


def test_of_many_images_some_are_kept(samples, monkeypatch):
    monkeypatch.setattr("minunet.data.image_statistics.MOST", 5)
    kept, every = (statistics_of_training(some, BY_IMAGE) for some in (samples, samples[::3]))
    assert kept == every and len(kept["median"]) == 4


@pytest.mark.parametrize(
    "statistics",
    [
        [],
        {},
        {"median": []},
        {"median": 0.1},
        {"median": [0.1, float("nan")]},
        {"median": [0.1, True]},
        {"median": [0.1], "size": [0.1, 0.2]},
        {"median": "0"},
        {"shape": [0.1]},
    ],
)
def test_what_are_no_statistics_is_refused(statistics):
    with pytest.raises(InputError, match=r"^statistics must"):
        check_statistics(statistics)
