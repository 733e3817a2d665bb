"""Parameters alone take normalised images; which values are taken for raw ones, and which are not."""

import warnings

import numpy as np
import pytest

from minunet.prediction.checks import warn_if_raw


def warning_for(image):
    """Return what `warn_if_raw` says the image holds, None if it says nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_if_raw(image)
    assert len(caught) <= 1
    return str(caught[0].message).partition("got ")[2].partition(";")[0] if caught else None


def framed(middle, frame, side=100):
    """Return an image of `side` pixels that is `frame` but for the 32 pixels in the middle, which are `middle`."""
    image = np.array(frame)
    start = (side - 32) // 2
    image[start : start + 32, start : start + 32] = middle
    return image


@pytest.fixture
def normalised(rng):
    return rng.standard_normal((100, 100))


def test_the_mean_of_the_middle_tells(normalised):
    assert warning_for(normalised) is None
    assert warning_for(normalised + 1000) == "1000"
    assert warning_for(normalised - 1000) == "-1000"
    assert warning_for(framed(1000.0, normalised)) == "1000"
    assert warning_for(framed(normalised[:32, :32], normalised + 1000)) is None  # a bright frame is no matter


def test_float_images_from_0_to_1(rng):
    image = rng.random((100, 100))
    image[0, 0] = 1.0
    assert warning_for(image) == f"only values from {image.min():.3g} to 1"
    for other in (0.2 + 0.7 * image, 0.4 * image, 1.5 * image, image - 0.01):
        assert warning_for(other) is None  # values of a float image seldom end there
    assert warning_for(image[:40, :40]) is None  # part of a normalised image may lie within any range


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("unit", [1, 1 / 255])
def test_grey_values_of_8_bits_however_they_are_kept(rng, unit, dtype):
    image = (unit * rng.integers(0, 10, (200, 300))).astype(dtype)  # dark, so that the mean does not tell
    assert warning_for(image) == f"only values from 0 to {9 * unit:.3g}"


def test_every_part_of_a_large_image_is_looked_at(rng):
    image = rng.integers(1, 10, (200, 300)).astype(float)
    assert warning_for(image) == "only values from 1 to 9"
    for row in (0, 199):
        for value in (-1.5, 2.5):  # a value below 0, or one that is no whole number
            changed = image.copy()
            changed[row, 7] = value
            assert warning_for(changed) is None
        changed = image.copy()
        changed[row, 7] = 0
        assert warning_for(changed) == "only values from 0 to 9"


def test_of_integers_the_middle_is_enough(rng):
    dark = rng.integers(0, 10, (100, 100)).astype(np.int16)
    dark[0, 0] = -5
    assert warning_for(dark).startswith("only values from 0 to 9")
    assert warning_for(dark.astype(float)) is None  # floats below 0 may be normalised ones


def test_a_constant_image_is_left_alone():
    for value in (0.0, 1.0, 3.0):
        assert warning_for(np.full((100, 100), value)) is None
