"""How much memory a prediction is said to take: what each image, each class and each written byte adds."""

import math

import numpy as np
import pytest

from minunet import InputError, init_unet, predict
from minunet.fast.cpu import limits, memory, parallel
from minunet.network.memory_needed import SHARE, forward_bytes, network_of
from minunet.network.sizes import fits
from minunet.prediction.memory import check_prediction, predict_bytes

SIDE = 1000
PIXELS = SIDE * SIDE
IMAGE = (1, SIDE, SIDE)


@pytest.fixture
def params():
    """Return a network of four classes, so that its probabilities are larger than what normalising takes."""
    return init_unet(np.random.default_rng(0), num_classes=4, base_channels=2, depth=1)


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Let one tile be worked on at a time, and no memory be left from earlier tests."""
    monkeypatch.setattr(parallel, "threads", lambda: 1)
    monkeypatch.setattr(memory, "freed_bytes", lambda: 0)


def free_memory(monkeypatch, count):
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(10**12, count))


def test_the_image_the_probabilities_and_the_network_are_held_at_once(params):
    running = forward_bytes(100, 100, **network_of(params))
    assert predict_bytes(params, [IMAGE], 100) == (4 + 4 * 4) * PIXELS + running
    assert predict_bytes(params, [IMAGE], 100, writing=12) == (4 + 4 * 4 + 12) * PIXELS + running


def test_where_normalising_takes_more_it_counts_instead():
    colour = init_unet(np.random.default_rng(0), in_channels=3, base_channels=2, depth=1)
    assert predict_bytes(colour, [(3, SIDE, SIDE)], 100) == (4 * 3 + 4 * 3 + 8) * PIXELS


def test_images_are_predicted_one_after_the_other(params):
    one = predict_bytes(params, [IMAGE], 100)
    assert predict_bytes(params, iter([IMAGE, (1, 300, 200)]), 100) == one
    assert predict_bytes(params, [(1, 300, 200), IMAGE, IMAGE], 100) == one


@pytest.mark.parametrize(("count", "held"), [(9, 4), (3, 3)])
def test_images_with_few_tiles_are_held_together(params, monkeypatch, count, held):
    monkeypatch.setattr(parallel, "threads", lambda: 4)
    running = forward_bytes(76, 76, held, **network_of(params))
    assert predict_bytes(params, [(1, 60, 60)] * count, 76, writing=5) == (held * (4 + 4 * 4) + 5) * 3600 + running
    two = forward_bytes(76, 76, 4, **network_of(params))  # 60x120 pixels are two tiles each
    assert predict_bytes(params, [(1, 60, 120)] * count, 76) == 2 * (4 + 4 * 4) * 7200 + two


@pytest.mark.parametrize("shapes", [[(1, 400, 300)], [(1, 300, 400)], [(1, 400, 300), (1, 20, 500), (1, 500, 20)]])
def test_without_a_tile_it_is_the_one_that_predict_takes_for_the_largest_image(params, shapes):
    height, width = (shapes[0][1] + 16, shapes[0][2] + 16)  # these fit depth 1, whose border is 16
    assert fits(height, 1) and fits(width, 1)
    running = forward_bytes(height, width, **network_of(params))
    assert predict_bytes(params, shapes) == (4 + 4 * 4) * 400 * 300 + running


def test_what_fits_is_returned_and_what_does_not_names_the_largest_tile_that_does(params, monkeypatch):
    needed = predict_bytes(params, [IMAGE], 400)
    free_memory(monkeypatch, 2 * needed)
    assert check_prediction("it", params, iter([IMAGE]), 400) == needed
    free_memory(monkeypatch, (predict_bytes(params, [IMAGE], 300) + 1) / SHARE)
    with pytest.raises(InputError, match=r"^it needs about 0\.1 GB of memory, .* are free; tile=300 would fit$"):
        check_prediction("it", params, iter([IMAGE]), 400)
    largest_default = 500 + 16  # 1000 pixels are cut in two
    free_memory(monkeypatch, (predict_bytes(params, [IMAGE], largest_default) - 1) / SHARE)
    with pytest.raises(InputError, match=f"tile={largest_default - 2} would fit"):
        check_prediction("it", params, [(1, 9, 9), IMAGE])


def test_where_no_tile_fits_other_remedies_are_named(params, monkeypatch):
    free_memory(monkeypatch, 4 * PIXELS)
    with pytest.raises(InputError, match=r"no tile fits: close other programs, or cut the image up$"):
        check_prediction("it", params, [IMAGE], writing=4)
    with pytest.raises(InputError, match=r"cut the image up, or write --only probability$"):
        check_prediction("it", params, [IMAGE], writing=12)


def test_turned_versions_take_larger_tiles(params):
    side = math.ceil(300 * (math.cos(math.tau / 7) + math.sin(math.tau / 7)))
    running = forward_bytes(*2 * [side + side % 2 + 16], **network_of(params))
    assert predict_bytes(params, [(1, 300, 300)], rotations=7) == (4 + 4 * 4) * 300 * 300 + running


def test_images_in_memory_do_not_count(params):
    assert predict_bytes(params, [IMAGE], 100) - predict_bytes(params, [IMAGE], 100, reading=False) == 4 * PIXELS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("normalisation", "to_file"), [(None, False), ("image", False), ("image", True), (None, True)])
def test_predict_needs_what_the_command_does_but_for_what_it_need_not_do(monkeypatch, dtype, normalisation, to_file):
    """It is given an image that is there already. The result may go to a file; and not every image is normalised."""
    params = init_unet(np.random.default_rng(0), num_classes=4, base_channels=2, depth=1, dtype=dtype)
    result = 0 if to_file else 4 * np.dtype(dtype).itemsize * PIXELS
    running = forward_bytes(500, 500, **network_of(params)) * np.dtype(dtype).itemsize // 4
    needed = max(12 * PIXELS if normalisation else 0, result + running)
    monkeypatch.setattr("minunet.prediction.memory.WORTH_ASKING", 0)
    free_memory(monkeypatch, (needed - 1) / SHARE)
    image, out = np.broadcast_to(np.float32(0), (SIDE, SIDE)), np.broadcast_to(np.float32(0), (4, SIDE, SIDE))
    with pytest.raises(InputError, match="the prediction needs about "):
        predict(params, image, 500, normalisation=normalisation, out=out if to_file else None)
    free_memory(monkeypatch, (needed + 1) / SHARE)
    monkeypatch.setattr("minunet.prediction.predict.numbers_for", None)  # what comes next, if the image is normalised
    monkeypatch.setattr("minunet.prediction.predict.check_out", None)  # and what comes then
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        predict(params, image, 500, normalisation=normalisation, out=out if to_file else None)
