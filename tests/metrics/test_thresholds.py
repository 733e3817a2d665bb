"""The watershed against its definition, and the best threshold in cases where it is known."""

import math

import numpy as np
import pytest
import scipy

from minunet.errors import InputError
from minunet.metrics import best_over_thresholds, components, seg_score, v_info, v_rand, watershed
from minunet.metrics.seg import pooled_seg


def highest_pass(height, seed):
    """Return, for each pixel, the lowest maximum of height over all paths from a seed, by repeated relaxation."""
    passes = np.where(seed, -np.inf, np.inf)
    while True:
        padded = np.pad(passes, 1, constant_values=np.inf)
        beside = np.minimum.reduce([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
        lower = np.where(seed, -np.inf, np.minimum(passes, np.maximum(height, beside)))
        if (lower == passes).all():
            return passes
        passes = lower


def test_components_are_4_connected():
    cell = np.array([[1, 0, 1], [0, 1, 1]], bool)
    np.testing.assert_array_equal(components(cell), [[1, 0, 2], [0, 2, 2]])


def test_watershed_by_hand():
    height = np.array([[0, 1, 2, 3, 1, 0, 5, 0]])
    seeds = np.array([[7, 0, 0, 0, 0, 4, 0, 0]])
    np.testing.assert_array_equal(watershed(height, seeds)[0, [0, 1, 2, 4, 5, 6, 7]], [7, 7, 7, 4, 4, 4, 4])


def test_a_gentle_slope_is_a_ridge_too():
    height = np.concatenate([np.arange(20), np.arange(20, 0, -4)])[None]  # up in steps of 1, down in steps of 4
    seeds = np.zeros(height.shape, int)
    seeds[0, 0], seeds[0, -1] = 1, 2
    labels = watershed(height, seeds)[0]
    assert (labels[:20] == 1).all() and (labels[21:] == 2).all()


def test_level_ground_goes_to_the_nearest_seed():
    seeds = np.zeros((5, 12), int)
    seeds[2, 0], seeds[2, 11] = 1, 2
    np.testing.assert_array_equal(watershed(np.zeros((5, 12)), seeds), np.repeat([[1] * 6 + [2] * 6], 5, axis=0))


def test_every_pixel_goes_where_the_way_is_lowest(rng):
    height = rng.random((13, 17))
    seeds = np.zeros(height.shape, np.int32)
    seeds.flat[rng.choice(height.size, 4, replace=False)] = [3, 1, 7, 8]
    labels = watershed(height, seeds)
    assert labels.dtype == np.int32 and (labels[seeds > 0] == seeds[seeds > 0]).all()
    passes = {label: highest_pass(height, seeds == label) for label in (3, 1, 7, 8)}
    lowest = np.minimum.reduce(list(passes.values()))
    for label, heights in passes.items():
        assert (heights == lowest)[labels == label].all()
        assert scipy.ndimage.label(labels == label)[1] == 1


def test_watershed_without_seeds_or_without_room():
    assert (watershed(np.ones((3, 4)), np.zeros((3, 4), int)) == 0).all()
    assert (watershed(np.ones((3, 4)), np.full((3, 4), 2)) == 2).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: components(np.zeros((2, 3, 4))), r"cell must be an image \(H, W\), got shape \(2, 3, 4\)"),
        (lambda: watershed(np.zeros((3, 4)), np.zeros((3, 5), int)), r"of one size, got \(3, 4\) and \(3, 5\)"),
        (lambda: watershed(np.zeros(4), np.zeros(4, int)), r"must be images \(H, W\) of one size, got \(4,\)"),
        (lambda: watershed(np.zeros((3, 4)), np.full((3, 4), -1)), "seeds must not be below 0, got -1"),
        (lambda: watershed(np.full((3, 4), np.nan), np.ones((3, 4), int)), "height must be finite"),
    ],
)
def test_what_has_no_cells_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def two_cells(membrane):
    """Return the truth of two cells with a membrane between them, (6, 11), and a map of 0.95 with that membrane."""
    truth = np.repeat([[1] * 5 + [0] + [2] * 5], 6, axis=0)
    return truth, np.where(truth > 0, 0.95, membrane)


@pytest.mark.parametrize("measure", [v_rand, v_info, seg_score])
def test_the_threshold_is_common_and_the_mean_is_over_images(measure):
    (truth, low), (_, high) = two_cells(0.25), two_cells(0.85)
    assert best_over_thresholds([truth, truth], [low, high])["v_rand"] == {"score": 1, "threshold": 0.9}
    low[:, :3] = 0.35  # now the first image wants a threshold of 0.3, and the second one of 0.9
    by_threshold = [np.mean([measure(truth, components(p > k / 10)) for p in (low, high)]) for k in range(10)]
    expected = {"score": pytest.approx(max(by_threshold)), "threshold": by_threshold.index(max(by_threshold)) / 10}
    best = best_over_thresholds([truth, truth], [low, high], with_seg=True)
    assert best[measure.__name__.removesuffix("_score")] == expected
    assert max(by_threshold) < 1


def test_seg_is_left_out_unless_it_is_wanted():
    truth, p = two_cells(0.25)
    without = best_over_thresholds([truth], [p])
    assert best_over_thresholds([truth], [p], with_seg=True) == {**without, "seg": {"score": 1, "threshold": 0.3}}


def test_no_image_at_all():
    with pytest.raises(InputError, match="truths must hold at least one image, got none"):
        best_over_thresholds([], [])


@pytest.mark.parametrize(
    ("truths", "probabilities", "options", "message"),
    [
        (2, 1, {}, r"must be of one length, got \(2, 1, 2, 2\); give one per image"),
        (2, 2, {"knowns": [None]}, r"must be of one length, got \(2, 2, 1, 2\)"),
        (2, 2, {"seg_truths": [np.ones((6, 11), int)]}, r"must be of one length, got \(2, 2, 2, 1\)"),
    ],
)
def test_lists_of_different_lengths_are_refused(truths, probabilities, options, message):
    truth, p = two_cells(0.25)
    with pytest.raises(InputError, match=message):
        best_over_thresholds([truth] * truths, [p] * probabilities, **options)


def test_probabilities_that_are_none_or_of_another_shape_are_refused():
    truth, p = two_cells(0.25)
    with pytest.raises(InputError, match="probability must be finite"):
        best_over_thresholds([truth], [np.where(truth, p, np.nan)])
    with pytest.raises(InputError, match=r"probability must have the shape of the truth, \(6, 11\), got \(2, 6, 11\)"):
        best_over_thresholds([truth], [np.stack([1 - p, p])])


def test_a_membrane_exactly_at_the_threshold_separates():
    truth, p = two_cells(0.3)
    assert best_over_thresholds([truth], [p])["v_rand"] == {"score": 1, "threshold": 0.3}


def test_no_threshold_is_above_0_9():
    nothing, p = np.zeros((6, 11), int), np.full((6, 11), 0.95)
    assert best_over_thresholds([nothing], [p])["pixel_error"] == {"score": 1, "threshold": 0}


def test_seg_of_all_images_weighs_each_by_its_cells():
    assert pooled_seg([0.5, 1.0], [3, 1]) == pytest.approx((3 * 0.5 + 1 * 1.0) / 4)
    assert pooled_seg([math.nan, 0.25], [0, 2]) == 0.25
    assert math.isnan(pooled_seg([math.nan], [0]))


def test_pixel_errors_are_the_smallest():
    truth, p = two_cells(0.65)
    best = best_over_thresholds([truth], [p])
    assert best["pixel_error"] == best["pixel_error_f_score"] == {"score": 0, "threshold": 0.7}
    p[0, 0] = 0.4
    assert best_over_thresholds([truth], [p])["pixel_error"] == {"score": 1 / 66, "threshold": 0.7}


def test_thinned_scores_forgive_borders_that_are_too_broad():
    truth, p = two_cells(0.05)
    p[:, 2:7] = [0.5, 0.4, 0.3, 0.05, 0.2]  # the membrane looks broad, and more so on the left,
    p[0, 2:7] = [0.85, 0.85, 0.85, 0.75, 0.85]  # and has a weak place, which merges the cells at thresholds up to 0.7
    best = best_over_thresholds([truth], [p])
    for name in ("v_rand", "v_info"):
        assert best[name]["score"] < 0.95
        assert best[f"{name}_thinned"] == {"score": 1, "threshold": 0.8}


def test_unknown_pixels_and_images_without_a_cell_do_not_count(rng):
    truth, p = two_cells(0.25)
    known = np.ones(truth.shape, bool)
    known[:3] = False
    spoilt = np.where(known, p, rng.random(p.shape))
    assert best_over_thresholds([truth], [p], [known])["pixel_error"]["score"] == 0
    assert best_over_thresholds([truth], [spoilt], [known])["pixel_error"]["score"] == 0
    empty = np.zeros(truth.shape, int)
    best = best_over_thresholds([truth, empty], [p, p])
    assert best["v_rand"]["score"] == 1
    assert math.isnan(best_over_thresholds([empty], [p])["v_rand"]["score"])
