"""The picture of the weight map: neighbours differ in colour, and it is drawn where a run has weights."""

import numpy as np
import pytest

from minunet.data import Sample, loss_weights, read_image, separate_touching, synthetic_cells
from minunet.pictures.colours import UNKNOWN
from minunet.pictures.weights import COLOURS, NEAR, distinct_colours, in_colours, plot_weights


def rgb(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def near_pairs(index):
    """Return the pairs of cells at most NEAR pixels apart, by brute force."""
    pixels = [np.argwhere(index == cell) for cell in range(index.max() + 1)]
    distances = {
        (a, b): np.hypot(*(pixels[a][:, None] - pixels[b]).transpose(2, 0, 1)).min()
        for b in range(len(pixels))
        for a in range(b)
    }
    return [pair for pair, distance in distances.items() if distance <= NEAR]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_neighbours_differ_and_all_colours_are_used(seed):
    index = synthetic_cells(np.random.default_rng(seed), 128, 150, count=25)[1] - 1
    colours = distinct_colours(index)
    pairs = near_pairs(index)
    assert len(colours) == index.max() + 1 and len(pairs) > 20
    assert all(colours[a] != colours[b] for a, b in pairs)
    assert set(colours) == set(range(len(COLOURS)))


def test_colours_by_hand():
    cells = np.array([[9, 9, 0, 4, 4, 0]])
    known = np.array([[True, True, True, True, False, False]])
    picture = in_colours(cells, known)
    first, second = rgb(COLOURS[0]), rgb(COLOURS[1])
    np.testing.assert_allclose(picture, [[second, second, [0, 0, 0], first, first, rgb(UNKNOWN)]])
    assert not in_colours(np.zeros((3, 4), int)).any()
    np.testing.assert_allclose(in_colours(np.full((3, 4), 7)), np.full((3, 4, 3), first))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("told_apart", [True, False])
def test_the_picture_has_three_parts(tmp_path, rng, channels, told_apart):
    instances = separate_touching(synthetic_cells(rng, 60, 90)[1])
    known = np.ones((60, 90), bool)
    known[:20] = instances[:20] > 0
    image = rng.random((channels, 60, 90))
    labels = (instances > 0).astype(np.uint8)
    sample = Sample("a", image, labels, instances if told_apart else None, known)
    plot_weights(sample, loss_weights([sample], "map")[0], tmp_path / "weights.png")
    picture = read_image(tmp_path / "weights.png") / 255  # (3, H, W)
    left, middle, right = np.split(picture, [picture.shape[2] // 4, 5 * picture.shape[2] // 8], axis=2)
    grey = np.reshape(rgb(UNKNOWN), (3, 1, 1))
    greys = [np.isclose(part, grey, atol=0.003).all(axis=0).mean() for part in (middle, right)]
    assert min(greys) > 0.05  # what is not known, in both
    assert np.ptp(middle, axis=0).max() > 0.8  # colours
    assert (np.ptp(left, axis=0).max() < 0.01) == (channels == 1)


def test_an_image_without_cells_is_drawn(tmp_path):
    sample = Sample("a", np.zeros((1, 8, 9), np.float32), np.zeros((8, 9), np.uint8), np.zeros((8, 9), np.int32))
    plot_weights(sample, loss_weights([sample])[0], tmp_path / "weights.png")
    assert (tmp_path / "weights.png").exists()
