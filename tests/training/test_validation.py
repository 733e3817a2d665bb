"""Validation costs a small share of a run, and always measures the same."""

import time

import numpy as np
import pytest

from minunet import init_unet, predict
from minunet.data import Dataset, Normalisation, Sample
from minunet.network.trained import Network
from minunet.training import train
from minunet.training.config import Config
from minunet.training.run_folder import save_run
from minunet.training.validation import LEAST, part_to_measure, window

CONFIG = Config(depth=3, tile=220, batch=1)


def samples(count, H=300, W=400, known=None):
    rng = np.random.default_rng(0)
    return [
        Sample(str(i), rng.random((1, H, W), np.float32), rng.integers(0, 2, (H, W)).astype(np.uint8), None, known)
        for i in range(count)
    ]


def rows(count, *validated):
    return [{"step": n, **({"validation_error": 0.1} if n in validated else {})} for n in range(1, count + 1)]


def test_all_images_are_measured_where_they_are_cheap():
    part = part_to_measure(CONFIG, rows(200), samples(4))
    assert part == (None, [0, 1, 2, 3]) and part.in_words(4) == "all of 4 held-out images"


def test_a_part_keeps_within_its_share_of_what_the_steps_cost():
    many = samples(57)
    for steps in (30, 100, 300):
        part = part_to_measure(CONFIG, rows(steps), many)
        forward_and_backward = 2.5 * 220**2 * steps  # in pixels that go forward
        cost = len(part.chosen) * (part.side + 88) ** 2
        assert 0.5 * 0.05 * forward_and_backward < cost <= max(LEAST, 0.05 * forward_and_backward)
        assert part.chosen == sorted(set(part.chosen)) and set(part.chosen) <= set(range(57))
    assert part.in_words(57).startswith("windows of at most 128 x 128 pixels in ")


def test_something_is_measured_in_the_shortest_run():
    for config, images in ((CONFIG, 3), (Config(depth=5, tile=412), 1)):
        assert len(part_to_measure(config, rows(1), samples(3, 1000, 1000)).chosen) == images


def test_in_a_short_run_small_windows_of_several_images_are_measured():
    for config, margin in ((Config(depth=2, tile=92, batch=1), 40), (CONFIG, 88)):
        part = part_to_measure(config, rows(2), samples(20))
        assert len(part.chosen) >= 4 and len(set(part.chosen)) == len(part.chosen)
        assert len(part.chosen) * (part.side + margin) ** 2 <= LEAST  # as much as one or two of 128 x 128
    assert part_to_measure(CONFIG, rows(2), samples(20)) == (32, part.chosen)
    assert part.in_short(20) == "windows in 4 of 20 held-out images"
    assert len(part_to_measure(CONFIG, rows(2), samples(3)).chosen) == 3
    assert part_to_measure(CONFIG, rows(100), samples(57)).side == 128  # which are enough


def test_larger_windows_are_cut_where_few_images_are_held_out():
    part = part_to_measure(CONFIG, rows(200), samples(2, 2000, 2000))
    assert part.chosen == [0, 1] and 128 < part.side <= 512


def test_the_part_stays_the_same_to_the_end_of_a_run_and_after_it_is_resumed():
    many = samples(57)
    first = part_to_measure(CONFIG, rows(80), many)
    assert part_to_measure(CONFIG, rows(800, 80, 160, 800), many) == first
    assert part_to_measure(CONFIG._replace(seed=1), rows(80), many) != first


@pytest.mark.parametrize("scope", ["image", "dataset"])
def test_a_window_is_predicted_as_it_lies_in_its_image(rng, scope):
    params = init_unet(rng, base_channels=2, depth=1)
    numbers = (np.float32([0.4]), np.float32([0.3])) if scope == "dataset" else ()
    network = Network(params, Normalisation(scope, *numbers))
    known = np.zeros((300, 400), bool)
    known[298:, 396:] = True  # so that the window lies in the corner
    (sample,) = samples(1, known=known)
    part, p = window(network, sample, 256, [0, 0])
    whole = predict(network, sample.image)[:, 44:, 144:]
    np.testing.assert_array_equal(part.labels, sample.labels[44:, 144:])
    np.testing.assert_array_equal(part.known, known[44:, 144:])
    np.testing.assert_allclose(p, whole, atol=2e-6)


def test_validation_and_the_callers_work_are_off_the_clock(monkeypatch):
    def slow(run, samples):
        time.sleep(0.2)
        return {"validation_error": 0.1, "majority_error": 0.3}

    monkeypatch.setattr(train, "validate", slow)
    config = Config(data="arrays", base_channels=2, depth=1, tile=36, steps=3)
    dataset = Dataset("a", samples(1, 60, 60), samples(1, 60, 60), 2)
    run = train.start(config, dataset)
    began = time.monotonic()
    for _ in train.train_steps(run, dataset):
        time.sleep(0.2)
    assert time.monotonic() - began > 1.2
    assert run.history[-1]["seconds"] < 0.6


def test_the_curves_are_told_what_was_measured(monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr("minunet.training.run_folder.plot_curves", lambda history, path, images: told.append(images))
    run = train.start(Config(data="arrays", base_channels=2, depth=1, tile=36), Dataset("a", samples(1), [], 2))
    numbers = {"seconds": 0.0, "wait": 0.0, "learning_rate": 0.0, "loss": 1.0}
    run.history.append({"step": 1, **numbers, "validation_error": 0.1, "majority_error": 0.2})
    for held_out in (samples(20), samples(1, 60, 60), []):
        save_run(run, tmp_path, held_out)
    assert told == ["windows in 5 of 20 held-out images", "held-out images", "held-out images"]
