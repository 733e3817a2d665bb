"""Augmented tiles: each pixel is read at one position, by image, labels and weights alike."""

import numpy as np
import pytest
import scipy.ndimage

from minunet.data import AUGMENTATIONS, Augmentation, augmented_tile, random_tile
from minunet.data.augment import SPACING, _random_field, draw_positions

NONE = AUGMENTATIONS["symmetries"]
GEOMETRY = Augmentation(gain=0.0, offset=0.0)
TILE, OUTPUT = (52, 60), (20, 36)


def draw(image, labels, weights, seed, augmentation, tile=TILE, output=OUTPUT):
    return augmented_tile(image, labels, weights, np.random.default_rng(seed), tile, output, augmentation)


def reflected(plane, rows, columns):
    """The mirrored plane at whole positions, the slow way: by walking from edge to edge."""
    padded = np.pad(plane, 200, mode="reflect")
    return padded[rows + 200, columns + 200]


@pytest.mark.parametrize("tile, output", [(TILE, OUTPUT), ((40, 40), (40, 40))])
@pytest.mark.parametrize("weighted", [True, False])
def test_with_no_strength_it_is_a_random_tile(rng, tile, output, weighted):
    image, labels = rng.standard_normal((2, 70, 90)).astype(np.float32), rng.integers(0, 3, (70, 90)).astype(np.uint8)
    weights = rng.random((70, 90), np.float32) if weighted else None
    for seed in range(5):
        plain = random_tile(image, labels, weights, np.random.default_rng(seed), tile, output)
        for a, b in zip(draw(image, labels, weights, seed, NONE, tile, output), plain, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("shape", [(70, 90), (300, 33), (5, 4), (1, 1)])
def test_every_pixel_is_read_where_the_brute_force_reads_it(rng, shape):
    labels, weights = rng.integers(0, 255, shape).astype(np.uint8), 0.1 + rng.random(shape, np.float32)
    image = rng.standard_normal((1, *shape)).astype(np.float32)
    for seed in range(3):
        positions = draw_positions(np.random.default_rng(seed), shape, TILE, OUTPUT, GEOMETRY)
        x, tile_labels, tile_weights = draw(image, labels, weights, seed, GEOMETRY)
        assert x.shape == (1, *TILE) and tile_labels.shape == tile_weights.shape == OUTPUT
        assert x.dtype == tile_weights.dtype == np.float32 and tile_labels.dtype == np.uint8
        padded = np.pad(image[0].astype(float), 100, mode="reflect")
        cubic = scipy.ndimage.map_coordinates(padded, positions + 100, order=3)
        np.testing.assert_allclose(x[0], cubic, atol=1e-5)
        inner = positions[:, 16:-16, 12:-12]
        np.testing.assert_array_equal(tile_labels, reflected(labels, *np.rint(inner).astype(int)))
        low, part = np.floor(inner).astype(int), inner % 1
        corners = [(i, j) for i in (0, 1) for j in (0, 1)]
        shares = [np.abs(1 - i - part[0]) * np.abs(1 - j - part[1]) for i, j in corners]
        linear = sum(s * reflected(weights, low[0] + i, low[1] + j) for s, (i, j) in zip(shares, corners, strict=True))
        np.testing.assert_allclose(tile_weights, linear, atol=1e-6)


@pytest.mark.parametrize("augmentation", [GEOMETRY, Augmentation(0.0, True, 0, 0), Augmentation(10.0, False, 0, 0)])
def test_image_labels_and_weights_stay_aligned_to_a_part_of_a_pixel(augmentation):
    h, w = np.pi * np.linspace(0, 1, 150)[:, None], np.pi * np.linspace(0, 1, 130)
    image = (2.5 + np.cos(5 * h) * np.cos(w) + np.cos(5 * w)).astype(np.float32)  # smooth where it is mirrored, too
    for seed in range(4):
        x, labels, weights = draw(image[None], (image > 2.4).astype(np.uint8), image, seed, augmentation)
        middle = x[0, 16:-16, 12:-12]
        np.testing.assert_allclose(weights, middle, atol=0.01)  # a shift by a tenth of a pixel would make 0.02
        clear = np.abs(middle - 2.4) > 0.15
        np.testing.assert_array_equal(labels[clear], middle[clear] > 2.4)


def test_positions_are_turned_without_stretching_and_mirrored_half_the_time():
    rigid = Augmentation(elastic=0.0)
    angles, signs = [], []
    for seed in range(200):
        positions = draw_positions(np.random.default_rng(seed), (90, 100), TILE, OUTPUT, rigid)
        down, right = positions[:, 1, 0] - positions[:, 0, 0], positions[:, 0, 1] - positions[:, 0, 0]
        turn = np.stack([down, right], axis=1)
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-9)
        np.testing.assert_allclose(positions[:, -1, -1] - positions[:, 0, 0], turn @ [51, 59], atol=1e-9)
        angles.append(np.arctan2(down[1], down[0]))
        signs.append(np.linalg.det(turn))
        middle = positions.mean(axis=(1, 2))
        assert (middle > [9.4, 17.4]).all() and (middle < [79.6, 81.6]).all()  # the output window is in the image
    assert np.histogram(angles, 8, (-np.pi, np.pi))[0].min() > 10
    assert 70 < np.sum(np.array(signs) > 0) < 130


def test_without_rotation_all_eight_symmetries_are_drawn(rng):
    seen = set()
    for seed in range(100):
        still = Augmentation(elastic=0.0, rotation=False)
        positions = draw_positions(np.random.default_rng(seed), (30, 30), (8, 8), (8, 8), still)
        relative = np.rint(2 * (positions - positions.mean(axis=(1, 2), keepdims=True))).astype(int)
        assert np.abs(relative).max() == 7
        seen.add(relative.tobytes())
    assert len(seen) == 8


def test_grey_values_of_each_channel_change_by_a_gain_and_an_offset_of_its_own(rng):
    image, labels = rng.standard_normal((2, 30, 30)).astype(np.float32), np.zeros((30, 30), np.uint8)
    changes = []  # of either channel: log gain, offset
    for seed in range(300):
        plain, _, _ = draw(image, labels, None, seed, NONE, (12, 12), (4, 4))
        grey, _, weights = draw(image, labels, None, seed, NONE._replace(gain=0.2, offset=0.3), (12, 12), (4, 4))
        assert grey.dtype == np.float32 and weights is None
        lines = [np.polyfit(old.ravel(), new.ravel(), 1) for old, new in zip(plain, grey, strict=True)]
        for (gain, offset), old, new in zip(lines, plain, grey, strict=True):
            np.testing.assert_allclose(gain * old + offset, new, atol=1e-5)
        changes.append([(np.log(gain), offset) for gain, offset in lines])
    np.testing.assert_allclose(np.std(changes, axis=0), [[0.2, 0.3]] * 2, rtol=0.12)
    np.testing.assert_allclose(np.mean(changes, axis=0), 0, atol=0.06)
    assert np.abs(np.corrcoef(np.reshape(changes, (300, 4)).T) - np.eye(4)).max() < 0.2  # none follows another


def test_unknown_pixels_stay_unknown(rng):
    """A pixel of weight 0 has a label that means nothing: it must not count because a neighbour does."""
    labels = (rng.random((80, 80)) < 0.3).astype(np.uint8)
    weights = (1 - labels).astype(np.float32)
    for seed in range(4):
        _, tile_labels, tile_weights = draw(rng.random((1, 80, 80)), labels, weights, seed, GEOMETRY)
        assert not tile_weights[tile_labels == 1].any()
        assert (tile_weights[tile_labels == 0] > 0).all()


@pytest.mark.parametrize("size", [44, 220, 572])
def test_a_field_bends_alike_whatever_the_size_of_the_tile(size):
    """Over 10 pixels, the displacement changes by about 10 / SPACING of its standard deviation."""
    stretches = []
    for seed in range(150):
        field = _random_field(np.random.default_rng(seed), (size, 30), std=10.0)
        assert field.shape == (2, size, 30)
        stretches.append((field[:, 10::10] - field[:, :-10:10]).std())
    assert 0.7 < np.mean(stretches) / (10 * 10 / SPACING) < 1.7


def test_the_field_is_as_strong_at_the_edges_as_in_the_middle():
    generators = (np.random.default_rng(seed) for seed in range(1000))
    fields = [_random_field(rng, (220, 200), std=10.0)[:, ::20, ::20].copy() for rng in generators]
    spread = np.std(fields, axis=(0, 1))  # of the displacement, over all tiles
    assert 7 < spread.min() and spread.max() < 10.5 and spread.max() / spread.min() < 1.2


def test_the_same_rng_draws_the_same_and_as_much_from_any_image(rng):
    image, labels = rng.random((3, 70, 90)), np.zeros((70, 90), np.uint8)
    generators = [np.random.default_rng(7) for _ in range(3)]
    tiles = [augmented_tile(image, labels, None, g, TILE, OUTPUT, Augmentation())[0] for g in generators[:2]]
    np.testing.assert_array_equal(*tiles)
    augmented_tile(image + 5, labels + 1, labels + 1.0, generators[2], TILE, OUTPUT, Augmentation())
    assert generators[0].bit_generator.state == generators[1].bit_generator.state == generators[2].bit_generator.state
    other = augmented_tile(image, labels, None, np.random.default_rng(8), TILE, OUTPUT, Augmentation())[0]
    assert (other != tiles[0]).any()


def test_a_window_of_a_large_image_is_what_the_whole_would_give(rng):
    """Far from the edges a tile sees nothing of them: the same tile of the image's middle part."""
    image, labels = rng.standard_normal((1, 400, 400)), rng.integers(0, 9, (400, 400))
    size = {"tile": (40, 40), "output": (8, 8)}
    whole = draw(image, labels, None, 5, GEOMETRY, **size)
    positions = draw_positions(np.random.default_rng(5), (400, 400), *size.values(), GEOMETRY)
    low, high = (np.rint(f(axis=(1, 2))).astype(int) for f in (positions.min, positions.max))
    image[:, : low[0] - 15], image[:, high[0] + 15 :] = np.nan, np.nan
    image[:, :, : low[1] - 15], image[:, :, high[1] + 15 :] = np.nan, np.nan
    for a, b in zip(draw(image, labels, None, 5, GEOMETRY, **size)[:2], whole[:2], strict=True):
        np.testing.assert_array_equal(a, b)
