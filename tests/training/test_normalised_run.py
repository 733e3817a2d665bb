"""Training with batch normalisation: it learns, it resumes, threads change nothing, and what comes out is folded."""

import itertools
import json

import numpy as np
import pytest
from cells_on_disk import write_cells
from threadpoolctl import threadpool_limits

import minunet as m
from minunet.backend import flatten
from minunet.cli.main import main
from minunet.data import load_data
from minunet.errors import InputError
from minunet.fast import thresholds
from minunet.network.running_averages import fold_unet
from minunet.training import run_folder
from minunet.training.config import Config
from minunet.training.train import start, train_steps

SMALL = Config(base_channels=4, depth=1, tile=68, steps=30, weights="none", norm="batch")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_data(f"folder:{write_cells(tmp_path_factory.mktemp('cells'))}")._replace(validation=[])


def assert_equal(a, b):
    assert list(flatten(a)) == list(flatten(b))
    for name, x in flatten(a).items():
        np.testing.assert_array_equal(flatten(b)[name], x, err_msg=name)


def test_thirty_steps_in_float32_train(dataset):
    run = start(SMALL._replace(learning_rate=0.01), dataset)
    losses = [row["loss"] for row in train_steps(run, dataset)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    arrays = flatten([run.params, run.running, run.network.params])
    assert all(x.dtype == np.float32 and np.isfinite(x).all() for x in arrays.values())
    assert all(x.any() for x in flatten(run.running).values())
    assert not any("norm" in name for name in flatten(run.network.params))


def test_the_prediction_of_a_run_does_not_depend_on_the_tile(dataset):
    run = start(SMALL._replace(steps=3), dataset)
    list(train_steps(run, dataset))
    image = dataset.train[0].image
    np.testing.assert_allclose(m.predict(run.network, image, tile=36), m.predict(run.network, image), atol=1e-5)


@pytest.mark.parametrize("batch", [2, 3, 6])
@pytest.mark.parametrize("largest", [0, 10**9], ids=["in turn", "side by side"])
def test_the_number_of_threads_changes_no_bit(dataset, monkeypatch, largest, batch):
    monkeypatch.setattr(thresholds, "SIDE_BY_SIDE", largest)
    results = []
    for threads in (1, 2):
        run = start(SMALL._replace(base_channels=16, batch=batch, steps=2), dataset)
        with threadpool_limits(threads, "blas"):
            list(train_steps(run, dataset))
        results.append([run.params, run.running])
    assert_equal(*results)


@pytest.mark.parametrize("optimiser", ["adam", pytest.param("sgd", marks=pytest.mark.slow)])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, dataset, optimiser):
    config = SMALL._replace(optimiser=optimiser, steps=6, batch=2)
    whole, half = start(config, dataset), start(config, dataset)
    list(train_steps(whole, dataset))
    list(itertools.islice(train_steps(half, dataset), 3))
    run_folder.save_run(half, tmp_path)
    assert_equal(m.load_network(tmp_path / "checkpoint.npz").params, half.network.params)
    resumed = run_folder.resume_run(tmp_path)
    list(train_steps(resumed, dataset))
    assert_equal([whole.params, whole.running], [resumed.params, resumed.running])
    assert_equal(resumed.network.params, fold_unet(whole.params, whole.running))


def test_train_on_arrays_takes_it():
    rng = np.random.default_rng(0)
    images = [rng.random((60, 60), np.float32)]
    network = m.train(
        images, [images[0] > 0.5], steps=1, base_channels=2, depth=1, tile=36, norm="batch", progress=False
    )
    assert isinstance(network, m.Network) and not any("norm" in name for name in flatten(network.params))
    with pytest.raises(InputError, match="norm must be one of none, batch, got 'layer'; the default is batch"):
        m.train(images, [images[0] > 0.5], norm="layer")


@pytest.mark.slow
def test_the_command_takes_it(tmp_path, capsys, cells_folder):
    out, data = tmp_path / "run", ["--data", f"folder:{cells_folder}"]
    small = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--weights", "none"]
    assert main(["train", *data, *small, "--norm", "batch", "--steps", "2", "--out", str(out)]) == 0
    assert main(["train", "--resume", "--steps", "3", "--out", str(out)]) == 0
    assert main(["evaluate", str(out / "checkpoint.npz"), *data, "--out", str(tmp_path / "evaluation")]) == 0
    with np.load(out / "checkpoint.npz") as checkpoint:
        assert "params/encode.0.norm1.gamma" in checkpoint and "running/encode.0.norm1.mean" in checkpoint
    assert "error" not in capsys.readouterr().err


VECTOR = np.ones(2, np.float32)


@pytest.fixture(scope="module")
def stored_run(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("normalised")
    run = start(Config(base_channels=2, depth=1, tile=36, steps=4, weights="none", norm="batch"), dataset)
    list(itertools.islice(train_steps(run, dataset), 2))
    run_folder.save_run(run, folder)
    return folder / "checkpoint.npz"


@pytest.mark.parametrize(
    ("name", "new", "message"),
    [
        ("running/encode.0.norm1.mean", None, r"each normalisation, got 'encode\.0\.norm1\.mean' missing"),
        ("running/encode.0.norm1.square", VECTOR, r"got 'encode\.0\.norm1\.square' added"),
        ("running/encode.0.norm1.mean", np.ones(3, np.float32), r"float32 \(2,\) in running encode\.0\.norm1\.mean"),
        ("running/encode.0.norm1.mean", np.ones(2), r"got float64 \(2,\)"),
        ("running/encode.0.norm1.mean", VECTOR * np.nan, r"finite numbers in 'running/encode\.0\.norm1\.mean'"),
        ("running/bottom.norm2.variance", -np.ones(4, np.float32), r"variances in running bottom\.norm2.*, got -1"),
        ("params/decode.0.norm1.gamma", None, r"decode\.0\.norm1\.gamma missing"),
        ("params/encode.0.conv1.bias", VECTOR, r"'encode\.0\.conv1\.bias' added"),
        ("params/encode.0.norm1.beta", np.ones(3, np.float32), r"\(2,\) in encode\.0\.norm1\.beta, got float32 \(3,\)"),
    ],
)
def test_a_checkpoint_whose_averages_cannot_be_is_told_with_the_file(tmp_path, stored_run, name, new, message):
    with np.load(stored_run) as archive:
        content = {key: x for key, x in archive.items() if key != name}
    if new is not None:
        content[name] = new
    np.savez(tmp_path / "checkpoint.npz", **content)
    with pytest.raises(InputError, match=rf"checkpoint\.npz: .*{message}"):
        m.load_network(tmp_path / "checkpoint.npz")


def test_a_network_that_overflows_when_it_is_folded_is_told_with_the_file(tmp_path, stored_run):
    with np.load(stored_run) as archive:
        content = dict(archive)
    content["params/decode.0.norm1.gamma"] = VECTOR * 3e38
    content["running/decode.0.norm1.variance"] = VECTOR * 0
    np.savez(tmp_path / "checkpoint.npz", **content)
    with pytest.raises(InputError, match=r"finite numbers in decode\.0\.conv1\.weight once .* is folded in, got NaN"):
        m.load_network(tmp_path / "checkpoint.npz")


def rewritten(stored_run, path, change, keep=lambda name: True):
    with np.load(stored_run) as archive:
        content = {name: x for name, x in archive.items() if keep(name)}
    about = json.loads(str(content["about"]))
    change(about)
    np.savez(path, **{**content, "about": np.array(json.dumps(about))})


@pytest.mark.parametrize("setting", ["none", None])
def test_settings_of_another_network_are_refused(tmp_path, stored_run, setting):
    def change(about):
        del about["config"]["norm"]  # as a run of an older version, which had no normalisation
        about["config"].update({} if setting is None else {"norm": setting})

    rewritten(stored_run, tmp_path / "checkpoint.npz", change)
    with pytest.raises(InputError, match="a network with norm none, as the settings say, got one with batch norm"):
        run_folder.resume_run(tmp_path)


def test_a_run_without_normalisation_whose_settings_do_not_say_so_goes_on(tmp_path, dataset):
    run_folder.save_run(start(SMALL._replace(norm="none"), dataset), tmp_path)
    with np.load(tmp_path / "checkpoint.npz") as archive:
        about = json.loads(str(archive["about"]))
    assert about["config"]["norm"] == "none"
    rewritten(tmp_path / "checkpoint.npz", tmp_path / "checkpoint.npz", lambda old: old["config"].pop("norm"))
    assert run_folder.resume_run(tmp_path).config.norm == "none"
