"""The threshold that suits a network: found where there is something to find, and 0.5 where there is not."""

import numpy as np
import pytest

from minunet.data import Sample
from minunet.errors import InputError
from minunet.metrics import pixel_error
from minunet.metrics.cells import classes_of
from minunet.metrics.chosen_threshold import check_threshold, choose_threshold


def image(rng, p, share_of_cells=0.3, known=None):
    """Return a sample, and probabilities (2, H, W) which are `p(truth, noise)`."""
    truth = rng.random((40, 50)) < share_of_cells
    cell = np.float32(p(truth, rng.random(truth.shape)))
    return Sample("a", truth[None] + 0.0, truth.astype(np.uint8), None, known), np.stack([1 - cell, cell])


def too_low(truth, noise):
    return np.where(truth, 0.3 + 0.5 * noise, 0.22 * noise)  # so that a threshold near 0.25 is right everywhere


@pytest.mark.parametrize("count", [1, 9])
def test_a_threshold_that_is_clearly_better_is_chosen(rng, count):
    pairs = [image(rng, too_low) for _ in range(count)]
    choice = choose_threshold([sample for sample, _ in pairs], [p for _, p in pairs])
    assert choice.threshold in (0.25, 0.3)
    assert choice.error == 0
    at_half = np.mean([pixel_error(sample.labels, p[1] > 0.5) for sample, p in pairs])
    assert choice.error_at_half == pytest.approx(at_half)
    assert choice.in_words("2 images").startswith(
        f"threshold {choice.threshold:.2f}: on 2 images, the pixel error is 0.0"
    )


def samples_of(truth, *cells):
    """Return a sample and probabilities for each image of the probability of cell; the truth is the same in all."""
    samples = [Sample("a", truth[None] + 0.0, truth.astype(np.uint8), None) for _ in cells]
    return samples, [np.stack([1 - cell, cell]) for cell in cells]


def timid(pixels, wrong=0):
    """Return the probability of cell of 100 pixels of cell, 0.28 for some, and so little for others that all miss."""
    cell = np.full((10, 10), 0.9)
    cell.flat[:pixels] = 0.28
    cell.flat[100 - wrong :] = 0.01
    return cell


@pytest.mark.parametrize(("gaining", "threshold"), [(3, 0.5), (7, 0.25)])
def test_most_images_must_gain_before_it_is_certain(gaining, threshold):
    """Of nine images some gain 10 pixels each: 3 of 9 are 2.0 standard errors, and 7 of 9 are 5.3."""
    cells = [timid(10)] * gaining + [timid(0)] * (9 - gaining)
    choice = choose_threshold(*samples_of(np.ones((10, 10), bool), *cells))
    assert choice.threshold == threshold  # of 0.05 to 0.25, which all have no error, the nearest to 0.5
    assert choice.error_at_half == pytest.approx(0.1 * gaining / 9)


@pytest.mark.parametrize(("gain", "threshold"), [(1, 0.5), (10, 0.25)])
def test_a_gain_that_is_certain_must_be_worth_it_too(gain, threshold):
    cells = [timid(gain, wrong=60)] * 9  # the same in all images, so nothing scatters
    assert choose_threshold(*samples_of(np.ones((10, 10), bool), *cells)).threshold == threshold


@pytest.mark.parametrize(("is_cell", "p", "threshold"), [(True, 0.07, 0.05), (False, 0.93, 0.95), (False, 0.99, 0.5)])
def test_the_thresholds_reach_from_0_05_to_0_95(is_cell, p, threshold):
    truth = np.full((10, 10), is_cell)
    assert choose_threshold(*samples_of(truth, *[np.full((10, 10), p)] * 9)).threshold == threshold


def test_quarters_without_a_known_pixel_count_nothing_and_one_pixel_proves_nothing():
    known = np.zeros((10, 10), bool)
    known[:5] = True
    (sample,), probabilities = samples_of(np.ones((10, 10), bool), timid(100))
    choice = choose_threshold([sample._replace(known=known)], probabilities)
    assert (choice.threshold, choice.error, choice.error_at_half) == (0.25, 0, 1)
    one = choose_threshold(*samples_of(np.ones((1, 1), bool), np.full((1, 1), 0.28)))
    assert (one.threshold, one.error_at_half) == (0.5, 1)


def test_of_noise_no_threshold_is_made(rng):
    def unsure(truth, noise):
        return np.clip(np.where(truth, 0.6, 0.4) + noise - 0.5, 0, 1)  # as often wrong on one side as on the other

    for _ in range(20):
        pairs = [image(rng, unsure, share_of_cells=0.5) for _ in range(3)]
        choice = choose_threshold([sample for sample, _ in pairs], [p for _, p in pairs])
        assert choice.threshold == 0.5 and choice.error == choice.error_at_half
    assert choice.in_words("3 images") == "threshold 0.5: on 3 images, no other is better for certain"


def test_one_image_that_gains_does_not_decide_for_all(rng):
    def clear(truth, noise):
        return np.where(truth, 0.9, 0.1)

    pairs = [image(rng, clear) for _ in range(9)] + [image(rng, too_low)]
    assert choose_threshold([sample for sample, _ in pairs], [p for _, p in pairs]).threshold == 0.5


def test_errors_are_counted_as_the_measures_count_them(rng):
    known = rng.random((40, 50)) < 0.7
    sample, p = image(rng, lambda truth, noise: np.where(truth, 0.2 + 0.6 * noise, 0.5 * noise), known=known)
    choice = choose_threshold([sample], [p])
    expected = {t / 20: pixel_error(sample.labels, classes_of(p, t / 20), known) for t in range(1, 20)}
    assert choice.error == pytest.approx(expected[choice.threshold])
    assert choice.threshold == 0.5 or choice.error == pytest.approx(min(expected.values()))
    assert choice.error_at_half == pytest.approx(expected[0.5])


def test_of_several_classes_the_most_probable_is_taken(rng):
    sample, p = image(rng, too_low)
    three = np.concatenate([p, np.zeros_like(p[:1])])
    choice = choose_threshold([sample], [three])
    assert choice.threshold == 0.5
    assert choice.error_at_half == pytest.approx(pixel_error(sample.labels, three[0] < 0.5))


@pytest.mark.parametrize("odd", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "0.5", None, True, [0.5], 10**400])
def test_what_is_no_threshold_is_refused(odd):
    with pytest.raises(InputError, match=r"threshold must be a number above 0 and below 1, got .*; 0.5 is usual"):
        check_threshold(odd)
