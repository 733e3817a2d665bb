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
    assert choose_threshold([sample], [three]).threshold == 0.5


@pytest.mark.parametrize("odd", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "0.5", None, True, [0.5], 10**400])
def test_what_is_no_threshold_is_refused(odd):
    with pytest.raises(InputError, match=r"threshold must be a number above 0 and below 1, got .*; 0.5 is usual"):
        check_threshold(odd)
