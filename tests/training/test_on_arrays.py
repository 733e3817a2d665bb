"""From arrays to a network in one call."""

import numpy as np
import pytest

from minunet import InputError, flatten, load_network, predict, save_network, separate_touching, train
from minunet.data import synthetic_cells, synthetic_dataset

SMALL = {"base_channels": 2, "depth": 1, "tile": 36, "progress": False}


@pytest.fixture
def images_and_labels():
    samples = synthetic_dataset(0, num_train=3, num_validation=0, height=60, width=64).train
    return [s.image[0] for s in samples], [s.labels for s in samples]


def assert_same(a, b):
    for name, x in flatten(a.params).items():
        np.testing.assert_array_equal(x, flatten(b.params)[name])


def test_a_network_finds_the_cells_and_can_be_stored(images_and_labels, tmp_path):
    images, labels = images_and_labels
    settings = {"base_channels": 4, "depth": 2, "tile": 92, "learning_rate": 0.01, "progress": False}
    network = train(images[:2], labels[:2], steps=100, **settings)
    probabilities = predict(network, images[2])
    assert probabilities.shape == (2, 60, 64)
    assert np.mean(probabilities.argmax(axis=0) != labels[2]) < 0.5 * np.mean(labels[2])  # half the majority's error
    save_network(tmp_path / "mine.npz", network)
    np.testing.assert_array_equal(predict(load_network(tmp_path / "mine.npz"), images[2]), probabilities)


def test_the_seed_repeats_and_the_settings_count(images_and_labels):
    first, again = (train(*images_and_labels, steps=3, seed=5, **SMALL) for _ in range(2))
    assert_same(first, again)
    other = train(*images_and_labels, steps=3, seed=6, **SMALL)
    assert (first.params["head"]["weight"] != other.params["head"]["weight"]).any()
    by_image = train(*images_and_labels, steps=3, seed=5, normalisation="image", **SMALL)
    assert (first.normalisation.scope, by_image.normalisation.scope) == ("dataset", "image")


def test_arrays_may_come_in_one_array_with_channels_of_any_type(images_and_labels):
    images, labels = images_and_labels
    expected = train(np.float32(np.round(255 * np.stack(images))), labels, steps=2, **SMALL)
    stack = np.round(255 * np.stack(images)).astype(np.uint8)[:, None]  # (3, 1, 60, 64)
    assert_same(train(stack, np.stack(labels) > 0, steps=2, **SMALL), expected)


def test_three_classes_and_two_channels(images_and_labels, rng):
    images, labels = images_and_labels
    images = [np.stack([image, image**2]) for image in images]
    labels = [np.where(mask > 0, 1 + (np.arange(64) > 30), 0) for mask in labels]
    network = train(images, labels, steps=2, **SMALL)
    assert predict(network, images[0]).shape == (3, 60, 64)


def test_cells_that_are_numbered_are_not_taken_for_classes(images_and_labels):
    images, _ = images_and_labels
    numbered = [separate_touching(synthetic_cells(np.random.default_rng(i), 60, 64, count=9)[1]) for i in range(3)]
    with pytest.raises(InputError, match=r"numbered one by one\? .*take labels > 0; .*say num_classes="):
        train(images, numbered, steps=1, **SMALL)
    network = train(images, numbered, num_classes=12, steps=1, **SMALL)
    assert len(network.params["head"]["bias"]) == 12
    assert len(train(images, [cells > 0 for cells in numbered], steps=1, **SMALL).params["head"]["bias"]) == 2


def test_classes_that_come_in_pieces_need_no_word(images_and_labels):
    images, _ = images_and_labels
    patches = np.kron(np.random.default_rng(0).integers(0, 8, (10, 8)), np.ones((6, 8), int))
    assert len(train(images, [patches] * 3, steps=1, **SMALL).params["head"]["bias"]) == 8


def test_num_classes_lets_a_class_be_absent_and_none_be_beyond(images_and_labels):
    images, labels = images_and_labels
    assert len(train(images, [2 * x for x in labels], num_classes=4, steps=1, **SMALL).params["head"]["bias"]) == 4
    with pytest.raises(InputError, match="labels must be from 0 to 1 for num_classes=2, got 2"):
        train(images, [2 * x for x in labels], num_classes=2, steps=1, **SMALL)
    for odd in (1, 2.0, "2", True, 257):
        with pytest.raises(InputError, match="num_classes must be a whole number from 2 to 256"):
            train(images, labels, num_classes=odd, steps=1, **SMALL)


def test_a_stack_is_a_list_of_images(images_and_labels):
    images, labels = images_and_labels
    assert_same(train(images, labels, steps=1, **SMALL), train(np.stack(images), np.stack(labels), steps=1, **SMALL))


def test_a_time_limit_ends_it(images_and_labels):
    train(*images_and_labels, minutes=0.002, **SMALL)


def test_the_bar_counts_the_steps_and_shows_the_loss(images_and_labels, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, total, initial, desc, unit, disable):
            self.total, self.n, self.unit, self.disable, self.shown = total, initial, unit, disable, {}
            bars.append(self)

        __enter__, __exit__ = lambda self: self, lambda self, *error: None

        def set_postfix(self, shown, refresh):
            self.shown = shown

        def update(self, n):
            self.n += n

    monkeypatch.setattr("minunet.training.progress_bar.ProgressBar", Bar)
    train(*images_and_labels, steps=3, **{**SMALL, "progress": True})
    train(*images_and_labels, steps=3, **SMALL)
    for bar, disable in zip(bars, (None, True), strict=True):
        assert (bar.total, bar.n, bar.unit, bar.disable) == (3, 3, "step", disable)
        assert float(bar.shown["loss"]) > 0.1


@pytest.mark.parametrize(
    ("images", "labels", "settings", "message"),
    [
        ([], [], {}, "got 0 images and 0 labels"),
        ([np.ones((9, 9))], [], {}, "got 1 images and 0 labels"),
        ([np.ones(9)], [np.ones((9, 9), int)], {}, "image 0: expected numbers (H, W) or (C, H, W), got float64 (9,)"),
        ([np.ones((9, 9), str)], [np.ones((9, 9), int)], {}, "image 0: expected numbers"),
        ([np.full((9, 9), np.inf)], [np.ones((9, 9), int)], {}, "image 0: expected finite grey values"),
        ([np.ones((9, 8))], [np.ones((9, 9), int)], {}, "image 0: expected labels (9, 8) like the image (C, H, W) = "),
        ([np.ones((9, 8, 3))], [np.ones((9, 8), int)], {}, "image.transpose(2, 0, 1) puts the channels first"),
        (
            (x for x in [1]),
            [np.eye(9, dtype=int)],
            {},
            "images must be a list of arrays, one for each image, got a gen",
        ),
        ([np.eye(9)], iter([np.eye(9, dtype=int)]), {}, "labels must be a list of arrays, one for each image, got a l"),
        (None, [np.eye(9, dtype=int)], {}, "images must be a list of arrays, one for each image, got a NoneType"),
        (
            np.eye(9),
            [np.eye(9, dtype=int)],
            {},
            "images must be a list of arrays, got one array (9, 9); write [images]",
        ),
        ([[[1, 2], [3]]], [np.eye(2, dtype=int)], {}, "image 0: expected numbers (H, W) or (C, H, W), got object (2,)"),
        (["a.png"], [np.eye(9, dtype=int)], {}, "minunet.read_image reads such an array from a file"),
        ([np.ones((9, 9))], [np.ones((9, 9))], {}, "image 0: expected labels of whole numbers"),
        ([np.ones((9, 9))], [np.full((9, 9), -1)], {}, "got int64 from -1 to -1"),
        ([np.ones((9, 9))], [255 * np.eye(9, dtype=int)], {}, "got 0, 255; for two classes, background and cell"),
        ([np.ones((9, 9))], [np.ones((9, 9), int)], {}, "got only cell"),
        ([np.ones((9, 9)), np.ones((2, 9, 9))], [np.eye(9, dtype=int)] * 2, {}, "same number of channels, got [1, 2]"),
        ([np.eye(9)], [np.eye(9, dtype=int)], {"tilt": 3}, "got 'tilt'; check the spelling"),
        ([np.eye(9)], [np.eye(9, dtype=int)], {"recipe": "slow"}, "recipe must be one of quick, paper"),
        ([np.eye(9)], [np.eye(9, dtype=int)], {"steps": 3, "minutes": 1}, "either steps or minutes"),
    ],
)
def test_what_cannot_be_trained_on_is_said(images, labels, settings, message):
    with pytest.raises(InputError) as error:
        train(images, labels, **SMALL, **settings)
    assert message in str(error.value)
