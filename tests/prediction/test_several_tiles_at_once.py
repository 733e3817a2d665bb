"""The tiles of an image, and images, are predicted at once: with the same bits as one after the other."""

import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import init_unet, predict
from minunet.data import Sample
from minunet.errors import InputError
from minunet.fast import thresholds
from minunet.prediction.predict import predict_many, predict_samples
from minunet.training import validation
from minunet.training.config import Config
from minunet.training.train import start
from minunet.training.validation import predict_part

predicting = sys.modules[predict.__module__]
SIZES = [(20, 25), (9, 13), (61, 30), (3, 4), (20, 25)]  # images of some tiles, and of one


@pytest.fixture
def params(rng):
    return init_unet(rng, base_channels=4, depth=2)


@pytest.fixture
def images(rng):
    return [rng.standard_normal(size).astype(np.float32) for size in SIZES]


@pytest.fixture(params=[0, 10**9], ids=["in turn", "at once"])
def largest(request, monkeypatch):
    monkeypatch.setattr(thresholds, "SIDE_BY_SIDE", request.param)
    return request.param


def by_threads(work):
    """Return what the work returns with one thread, with two and with three."""
    results = []
    for count in (1, 2, 3):
        with threadpool_limits(count, "blas"):
            results.append(work())
    return results


def assert_same_bits(results):
    for others in results[1:]:
        for found, expected in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize("rotations", [1, 7, 8])
def test_the_number_of_threads_changes_no_bit_of_an_image(params, images, rotations):
    assert_same_bits(by_threads(lambda: [predict(params, images[2], 60, rotations)]))


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize("tile", [None, 52])
def test_the_number_of_threads_changes_no_bit_of_several_images(params, images, tile):
    samples = [Sample(f"{i}", image[None], np.zeros(image.shape), None) for i, image in enumerate(images)]
    results = by_threads(lambda: predict_samples(params, samples, tile=tile))
    assert_same_bits(results)
    for image, found in zip(images, results[0], strict=True):
        np.testing.assert_array_equal(found, predict(params, image, tile))


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize("side", [None, 12])
def test_the_number_of_threads_changes_no_bit_of_a_validation(rng, monkeypatch, side):
    labels = np.arange(40 * 30).reshape(40, 30) % 2
    samples = [Sample(f"{i}", rng.random((1, 40, 30), np.float32), labels, None) for i in range(5)]
    data = type("Dataset", (), {"train": samples, "validation": samples, "num_classes": 2})
    run = start(Config(base_channels=4, depth=2, tile=52, steps=2), data)
    monkeypatch.setattr(validation, "part_to_measure", lambda *_: validation.Part(side, [0, 1, 3]))
    assert_same_bits(by_threads(lambda: predict_part(run, samples)[1]))


@pytest.fixture
def meet_in_pairs(monkeypatch):
    """Let each tile wait, before it is predicted, until another one is there too; return how many were predicted."""
    meeting, real, seen = threading.Barrier(2, timeout=10), predicting.tile_probabilities, []

    def tile_probabilities(params, x):
        seen.append(threading.current_thread())
        meeting.wait()
        return real(params, x)

    monkeypatch.setattr(predicting, "tile_probabilities", tile_probabilities)
    with threadpool_limits(2, "blas"):
        yield seen


def test_two_tiles_of_an_image_are_predicted_at_once(params, images, meet_in_pairs):
    predict(params, images[0], 52)  # 2 x 3 tiles of 12 pixels
    assert len(meet_in_pairs) == 6 and len(set(meet_in_pairs)) == 2


def test_two_images_of_a_tile_each_are_predicted_at_once(params, images, meet_in_pairs):
    found = predict_many(params, iter(images[:4]))
    assert [p.shape[1:] for p in found] == SIZES[:4]
    assert len(meet_in_pairs) == 4 and len(set(meet_in_pairs)) == 2


def test_an_image_is_read_when_it_is_needed(params, images):
    taken = []

    def asked_for():
        for number, image in enumerate(images):
            taken.append(number)
            yield image

    with threadpool_limits(2, "blas"):
        for tile, expected in ((None, [2, 2, 4, 4, 5]), (52, [1, 2, 3, 5, 5])):
            taken.clear()
            assert [len(taken) for _ in predict_many(params, asked_for(), tile=tile)] == expected
    taken.clear()
    with threadpool_limits(1, "blas"):
        assert [len(taken) for _ in predict_many(params, asked_for())] == [1, 2, 3, 4, 5]


def test_no_image_is_no_prediction(params):
    assert list(predict_many(params, [])) == []


def test_images_before_one_that_cannot_be_predicted_are(params, images):
    with threadpool_limits(3, "blas"):
        found = predict_many(params, [*images[:2], np.full((5, 5), np.nan), images[3]])
        for image in images[:2]:
            np.testing.assert_array_equal(next(found), predict(params, image))
        with pytest.raises(InputError, match="image must be finite"):
            next(found)


class OneReaderAtATime:
    """A file that two threads may not read at once."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.lock = array, array.shape, array.dtype, threading.Lock()

    def __getitem__(self, key):
        assert self.lock.acquire(blocking=False), "another thread is reading"
        threading.Event().wait(0.005)
        self.lock.release()
        return self.array[key]


def test_a_file_is_read_by_one_thread_at_a_time(params, images):
    with threadpool_limits(2, "blas"):
        np.testing.assert_array_equal(predict(params, OneReaderAtATime(images[2]), 60), predict(params, images[2], 60))
