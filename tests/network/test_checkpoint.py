"""A checkpoint gives back what was put in, and anything else in one line."""

import json

import numpy as np
import pytest

from minunet import Network, Normalisation, flatten
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.network.trained.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from minunet.training.optimisers import init_velocity

NORMALISATION = Normalisation("dataset", np.array([0.25], np.float32), np.array([2.0], np.float32))


def save(path, params, **more):
    save_checkpoint(path, Network(params, NORMALISATION), {"data": "synthetic", "steps": 3}, **more)


def assert_same(loaded, saved):
    loaded, saved = flatten(loaded), flatten(saved)
    assert list(loaded) == list(saved)
    for leaf in saved:
        np.testing.assert_array_equal(loaded[leaf], saved[leaf], strict=True)


def test_everything_comes_back_bit_for_bit(tmp_path, small_unet):
    history = [{"step": 1, "loss": 0.1 + 0.2}]
    velocity = init_velocity(small_unet)
    velocity["head"]["bias"] += np.pi
    save(tmp_path / "c.npz", small_unet, optimiser_state=velocity, history=history)
    stored = load_checkpoint(tmp_path / "c.npz")
    assert_same(stored.network.params, small_unet)
    assert_same(stored.optimiser_state, velocity)
    assert stored.network.normalisation == NORMALISATION
    assert stored.config == {"data": "synthetic", "steps": 3}
    assert stored.history == history


def test_levels_are_lists_in_their_order(tmp_path, rng):
    def conv(C, size, value=0.0):
        return {"weight": np.full((1, C, size, size), value), "bias": np.zeros(1)}

    encode = [{"conv1": conv(1, 3, float(i)), "conv2": conv(1, 3)} for i in range(12)]  # 10 must not come before 2
    decode = [{"up": conv(1, 2), "conv1": conv(2, 3), "conv2": conv(1, 3)} for _ in range(12)]
    params = {"encode": encode, "bottom": encode[0], "decode": decode, "head": conv(1, 1)}
    save(tmp_path / "c.npz", params)
    loaded = load_checkpoint(tmp_path / "c.npz").network.params["encode"]
    assert [level["conv1"]["weight"][0, 0, 0, 0] for level in loaded] == list(range(12))


def test_a_checkpoint_for_prediction_has_no_run_to_resume(tmp_path, small_unet):
    save(tmp_path / "c.npz", small_unet)
    stored = load_checkpoint(tmp_path / "c.npz")
    assert stored.optimiser_state is None
    assert stored.history is None


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_a_checkpoint_of_version_1_is_read(tmp_path, small_unet, scope):
    velocity = init_velocity(small_unet)
    velocity["head"]["bias"] += np.pi
    about = {"format": FORMAT, "version": 1, "config": {"data": "synthetic"}, "history": [{"step": 1}]}
    numbers = {"mean": np.float32([3]), "std": np.float32([2])} if scope == "dataset" else {}
    arrays = {f"params/{name}": x for name, x in flatten(small_unet).items()}
    arrays.update({f"velocity/{name}": x for name, x in flatten(velocity).items()})
    arrays.update({f"normalisation/{name}": x for name, x in numbers.items()})
    np.savez(tmp_path / "old.npz", about=np.array(json.dumps(about)), **arrays)
    stored = load_checkpoint(tmp_path / "old.npz")
    assert_same(stored.network.params, small_unet)
    assert_same(stored.optimiser_state, velocity)
    assert stored.network.normalisation == Normalisation(scope, **numbers)
    assert stored.config == {"data": "synthetic", "optimiser": "sgd", "batch": 1}  # there was nothing else
    assert stored.history == [{"step": 1}]


def test_a_normalisation_without_its_numbers_is_told(tmp_path, small_unet):
    save(tmp_path / "c.npz", small_unet)
    with np.load(tmp_path / "c.npz") as archive:
        arrays = {name: archive[name] for name in archive.files if not name.startswith("normalisation/")}
    np.savez(tmp_path / "c.npz", **arrays)
    with pytest.raises(InputError, match=r"the numbers of the normalisation by dataset, got \[\]"):
        load_checkpoint(tmp_path / "c.npz")


def test_a_name_without_npz_is_refused_before_anything_is_written(tmp_path, small_unet):
    with pytest.raises(InputError, match=r"must end with \.npz, got .*mine; try .*mine\.npz"):
        save(tmp_path / "mine", small_unet)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected a checkpoint, found no file .*nothing\.npz"):
        load_checkpoint(tmp_path / "nothing.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_told(tmp_path, small_unet, share):
    path = tmp_path / "c.npz"
    save(path, small_unet)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="truncated or of another kind"):
        load_checkpoint(path)


def test_a_flipped_bit_is_told(tmp_path, small_unet):
    path = tmp_path / "c.npz"
    save(path, small_unet)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(InputError, match="truncated or of another kind"):
        load_checkpoint(path)


def write_text(path):
    path.write_text("weights, honestly")


def write_array(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def write_pickle(path):
    with open(path, "wb") as file:
        np.savez(file, about=np.array([{"a": 1}], dtype=object))


def write_foreign(path):
    np.savez(path, weight=np.zeros(3))


def write_foreign_with_about(path):
    np.savez(path, about=np.array(json.dumps({"format": "another"})))


@pytest.mark.parametrize("write", [write_text, write_array, write_pickle, write_foreign, write_foreign_with_about])
def test_a_foreign_file_is_told(tmp_path, write):
    path = tmp_path / "c.npz"
    write(path)
    with pytest.raises(InputError, match=r"expected a checkpoint of minunet, got .*c\.npz|c\.npz: expected numbers"):
        load_checkpoint(path)


def test_a_newer_version_asks_for_an_update(tmp_path, small_unet, monkeypatch):
    monkeypatch.setattr("minunet.network.trained.checkpoint.VERSION", 4)
    save(tmp_path / "c.npz", small_unet)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"version 3 or older, got version 4 .*; update minunet"):
        load_checkpoint(tmp_path / "c.npz")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("old")

    def half(temporary):
        temporary.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
