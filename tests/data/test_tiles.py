"""Mirrored windows against np.pad, random tiles, and the normalisation of what they hold."""

import numpy as np
import pytest

from minunet.data import Sample, cut, fit_normalisation, mirror_pad, normalise, random_tile
from minunet.errors import InputError


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (2, 3, 1, 0), (4, 4, 6, 6), (17, 5, 3, 40)])
def test_mirror_pad_is_reflect(pads):
    array = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    top, bottom, left, right = pads
    if np.lib.NumpyVersion(np.__version__) < "2.0.0" and max(pads) > 7:
        pytest.skip("np.pad of NumPy 1 mirrors again at the wrong place, where a margin is larger than the array")
    expected = np.pad(array, ((0, 0), (top, bottom), (left, right)), mode="reflect")
    np.testing.assert_array_equal(mirror_pad(array, *pads), expected)


def test_a_single_row_mirrors_itself():
    np.testing.assert_array_equal(mirror_pad(np.array([[1, 2, 3]]), 1, 1, 1, 1), np.tile([2, 1, 2, 3, 2], (3, 1)))


@pytest.mark.parametrize("top, left, height, width", [(1, 2, 3, 3), (-9, 4, 20, 5), (11, -30, 2, 6), (-20, -20, 4, 40)])
def test_cut_is_a_window_of_the_mirrored_image(top, left, height, width):
    image = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (60, 60), (60, 60)), mode="reflect")
    window = cut(image, top, left, height, width)
    np.testing.assert_array_equal(window, padded[:, 60 + top :, 60 + left :][:, :height, :width])
    assert window.dtype == np.float32 and not np.shares_memory(window, image)


def test_cut_far_away_costs_nothing():
    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(cut(image, 4 * 10**12, 6 * 10**12, 3, 4), image)  # multiples of both periods


def draw(tile, output, seed, shape=(30, 34)):
    """A random tile of an image whose grey values are the labels, and whose weights are ten times these."""
    labels = np.random.default_rng(99).integers(0, 255, shape).astype(np.uint8)
    image = np.stack([labels, labels]).astype(np.float32)
    rng = np.random.default_rng(seed)
    return random_tile(image, labels, 10 * labels.astype(np.float32), rng, tile, output), labels


@pytest.mark.parametrize("shape", [(30, 34), (9, 50), (5, 4), (1, 1)])
@pytest.mark.parametrize("tile, output", [((24, 24), (12, 12)), ((20, 28), (8, 16)), ((12, 12), (12, 12))])
def test_image_labels_and_weights_stay_aligned(tile, output, shape):
    for seed in range(12):
        (x, labels, weights), _ = draw(tile, output, seed, shape)
        assert x.shape == (2, *tile) and labels.shape == weights.shape == output
        assert x.dtype == np.float32 and labels.dtype == np.uint8 and x.flags.c_contiguous
        border = (tile[0] - output[0]) // 2
        middle = x[:, border : border + output[0], border : border + output[1]]
        np.testing.assert_array_equal(middle, [labels, labels])
        np.testing.assert_array_equal(weights, 10.0 * labels)


@pytest.mark.parametrize("tile, symmetries", [((6, 6), 8), ((6, 8), 4)])
def test_every_symmetry_is_drawn(tile, symmetries):
    seen = set()
    for seed in range(120):
        (x, _, _), whole = draw(tile, tile, seed, shape=tile)
        turned = [np.rot90(whole, k) for k in range(4)]
        same = [np.array_equal(x[0], copy) for copy in (*turned, *(array[:, ::-1] for array in turned))]
        assert sum(same) == 1
        seen.add(same.index(True))
    assert len(seen) == symmetries


def test_output_window_reaches_every_place():
    corners = set()
    for seed in range(300):
        (_, labels, _), whole = draw((4, 4), (2, 2), seed, shape=(4, 4))
        windows = {(y, x): whole[y : y + 2, x : x + 2] for y in range(3) for x in range(3)}
        corners |= {place for place, window in windows.items() if sorted(window.flat) == sorted(labels.flat)}
    assert len(corners) == 9


def test_no_weights_and_the_same_rng_the_same_tile():
    image, labels = np.random.default_rng(0).normal(size=(1, 40, 40)), np.ones((40, 40), np.uint8)
    tiles = [random_tile(image, labels, None, np.random.default_rng(3), (20, 20), (8, 8)) for _ in range(2)]
    assert tiles[0][2] is None
    np.testing.assert_array_equal(tiles[0][0], tiles[1][0])


@pytest.mark.parametrize("tile, output", [((20, 20), (9, 9)), ((8, 8), (12, 12))])
def test_impossible_tiles_are_refused(tile, output):
    with pytest.raises(InputError, match=r"larger than the output by an even number, got tile .* use output_size"):
        draw(tile, output, 0)


def sample(image):
    return Sample("a", np.asarray(image, np.float32), None, None, None)


def test_normalisation_is_over_all_pixels_of_all_images():
    rng = np.random.default_rng(0)
    samples = [
        sample(rng.normal([[[5.0]], [[9000.0]]], [[[2.0]], [[0.5]]], (2, *shape))) for shape in [(8, 9), (30, 4)]
    ]
    pixels = np.concatenate([s.image.reshape(2, -1) for s in samples], axis=1).astype(np.float64)
    normalisation = fit_normalisation(samples)
    np.testing.assert_allclose(normalisation.mean, pixels.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(normalisation.std, pixels.std(axis=1), rtol=1e-5)
    normal = np.concatenate([normalise(s.image, normalisation).reshape(2, -1) for s in samples], axis=1)
    assert normal.dtype == np.float32
    np.testing.assert_allclose(normal.mean(axis=1), 0, atol=2e-3)
    np.testing.assert_allclose(normal.std(axis=1), 1, rtol=1e-3)


def test_normalisation_refuses_what_it_cannot_scale():
    with pytest.raises(InputError, match="expected images with contrast, got a standard deviation of 0 in channel 0"):
        fit_normalisation([sample(np.full((1, 4, 4), 7))])
    normalisation = fit_normalisation([sample(np.arange(16.0).reshape(1, 4, 4))])
    with pytest.raises(InputError, match=r"1 channel, as in training, got shape \(3, 4, 4\); convert the image"):
        normalise(np.zeros((3, 4, 4), np.float32), normalisation)
    with pytest.raises(InputError, match=r"got shape \(4, 4\)"):
        normalise(np.zeros((4, 4), np.float32), normalisation)
