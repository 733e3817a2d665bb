"""Loss weights: which samples get a weight map, what is unknown counts for nothing, and maps are made once a run."""

import numpy as np
import pytest

from minunet import weight_map
from minunet.data import Sample, loss_weights
from minunet.errors import InputError


@pytest.fixture
def instances():
    cells = np.zeros((20, 24), np.int32)
    cells[3:9, 4:10], cells[3:9, 12:20], cells[14:18, 2:8] = 1, 2, 3
    return cells


@pytest.fixture
def known():
    return np.arange(20 * 24).reshape(20, 24) % 3 > 0


def sample(instances, known=None, told_apart=True):
    image = np.zeros((1, *instances.shape), np.float32)
    return Sample("a", image, (instances > 0).astype(np.uint8), instances if told_apart else None, known)


def test_the_weight_map_of_instances_and_of_connected_components(instances):
    expected = weight_map(instances)
    for kind, told_apart in (("map", True), ("map", False)):
        np.testing.assert_array_equal(loss_weights([sample(instances, None, told_apart)], kind)[0], expected)
    border = loss_weights([sample(instances)], "border")[0]
    np.testing.assert_array_equal(border, weight_map(instances, class_weights=(1.0, 1.0)))
    for kind in ("light", "auto"):
        light = loss_weights([sample(instances)], kind)[0]
        np.testing.assert_array_equal(light, weight_map(instances, w0=2.0, class_weights=(1.0, 1.0)))
    assert loss_weights([sample(instances, None, False), sample(instances)], "none") == [None, None]
    assert loss_weights([sample(instances, None, False)], "auto") == [None]


def test_what_is_unknown_weighs_nothing(instances, known):
    plain, mapped = (loss_weights([sample(instances, known)], kind)[0] for kind in ("none", "map"))
    np.testing.assert_array_equal(plain, known)
    cell, background = ((instances > 0) & known, (instances == 0) & known)
    classes = known.sum() / (2 * background.sum()), known.sum() / (2 * cell.sum())  # balanced over what is known
    np.testing.assert_allclose(mapped, weight_map(instances, class_weights=classes) * known, rtol=1e-6)
    assert plain.dtype == mapped.dtype == np.float32


def test_maps_are_made_once(instances, tmp_path, monkeypatch):
    cache = tmp_path / "weights.npz"
    first = loss_weights([sample(instances)], "map", cache)
    monkeypatch.setattr("minunet.data.weighting.weight_map", lambda *cells, **options: pytest.fail("made again"))
    np.testing.assert_array_equal(loss_weights([sample(instances)], "map", cache)[0], first[0])
    with pytest.raises(pytest.fail.Exception, match="made again"):
        loss_weights([sample(instances.T.copy())], "map", cache)  # another truth under the same name


def test_a_cache_of_one_kind_is_not_taken_for_another(instances, tmp_path):
    for kind in ("map", "border", "light", "auto"):
        cached = loss_weights([sample(instances)], kind, tmp_path / "weights.npz")[0]
        np.testing.assert_array_equal(cached, loss_weights([sample(instances)], kind)[0])


def test_a_complete_cache_is_not_written_again(instances, tmp_path, monkeypatch):
    loss_weights([sample(instances)], "map", tmp_path / "weights.npz")
    monkeypatch.setattr("minunet.data.weighting.replace_atomically", lambda *call: pytest.fail("written again"))
    loss_weights([sample(instances)], "map", tmp_path / "weights.npz")


def test_a_damaged_cache_is_made_again(instances, tmp_path):
    cache = tmp_path / "weights.npz"
    cache.write_bytes(b"PK half a file")
    np.testing.assert_array_equal(loss_weights([sample(instances)], "map", cache)[0], weight_map(instances))
    assert len(np.load(cache).files) == 1


def test_unknown_kind(instances):
    with pytest.raises(InputError, match="one of auto, map, border, light, none, got 'paper'; auto suits"):
        loss_weights([sample(instances)], "paper")
