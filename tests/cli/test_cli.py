"""The command line as a user meets it: what it prints, what it writes, and one line for every bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from minunet import Network, Normalisation, init_unet, load_network, relu_backward, save_network
from minunet.cli.main import main
from minunet.data import synthetic_cells
from minunet.network.trained.checkpoint import load_checkpoint

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36"]


@pytest.fixture
def data(cells_folder):
    return f"folder:{cells_folder}"


@pytest.fixture
def run(tmp_path, finished_run):
    """Return the folder of a short run that is over."""
    return shutil.copytree(finished_run, tmp_path / "run")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *arguments):
    """Run a command that must fail; return the one line that it prints."""
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 1
    assert lines[0].startswith(f"minunet {arguments[0]}: error: ")
    return lines[0]


@pytest.mark.slow
def test_train_writes_a_run_and_prints_its_measures(tmp_path, data, capsys):
    folder = tmp_path / "run"
    assert main(["train", "--data", data, *SMALL, "--steps", "10", "--out", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "3 images to train on, 1 held out" in printed
    assert "majority_" in printed and "best over thresholds" in printed
    files = ["checkpoint.npz", "config.json", "contact_sheet.png", "curves.png"]
    files += ["log.csv", "metrics.json", "predictions.png"]
    assert sorted(path.name for path in folder.iterdir()) == files
    measures = json.loads((folder / "metrics.json").read_text())
    assert 0 <= measures["pixel_error"] <= 1
    assert measures["images"][0]["name"] == "cell3"
    assert measures["majority_pixel_error"] == pytest.approx(17 * 25 / (40 * 48))


@pytest.mark.slow
def test_train_on_told_apart_cells_draws_and_keeps_their_weights(tmp_path, cells_folder, capsys):
    for path in sorted((cells_folder / "masks").iterdir())[:2]:
        mask = np.array(Image.open(path))
        mask[15:] //= 2  # two cells, which touch
        Image.fromarray(mask).save(path)
    folder = tmp_path / "run"
    train = [
        "train",
        "--data",
        f"folder:{cells_folder}",
        *SMALL,
        "--steps",
        "1",
        "--labels",
        "instances",
        "--weights",
        "map",
        "--out",
        str(folder),
    ]
    assert main(train) == 0
    with Image.open(folder / "weights.png") as picture:
        assert picture.width > picture.height > 100
    with np.load(folder / "weights.npz") as maps:
        assert len(maps.files) == 3 and maps[maps.files[0]].max() > 8
    assert main(["train", "--resume", "--out", str(folder), "--steps", "2"]) == 0
    assert main([*train[:-1], str(tmp_path / "plain"), "--weights", "none"]) == 0  # the last of two options counts
    assert not list((tmp_path / "plain").glob("weights.*"))


@pytest.mark.slow
def test_train_without_out_numbers_its_folder(tmp_path, data, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert main(["train", "--data", data, *SMALL, "--steps", "1"]) == 0
        assert (tmp_path / "runs" / f"folder-{number}" / "metrics.json").exists()


def test_resume_goes_on_to_more_steps(run, capsys):
    assert main(["train", "--resume", "--out", str(run), "--steps", "13"]) == 0
    assert len((run / "log.csv").read_text().splitlines()) == 1 + 13
    assert json.loads((run / "config.json").read_text())["steps"] == 13


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:after step")  # that it has learned nothing so far
def test_ctrl_c_saves_and_resume_ends_as_if_nothing_had_happened(tmp_path, data):
    train = ["train", "--data", data, *SMALL, "--steps", "400", "--out"]
    assert main([*train, str(tmp_path / "whole")]) == 0
    command = [sys.executable, "-m", "minunet", *train, tmp_path / "halves"]
    stopped = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "halves" / "log.csv"
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().splitlines()) > 1):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stopped.send_signal(signal.SIGINT)
    out, _ = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert "continue with: minunet train --resume --out" in out
    done = len(load_checkpoint(tmp_path / "halves" / "checkpoint.npz").history)
    assert 0 < done < 400

    assert main(["train", "--resume", "--out", str(tmp_path / "halves")]) == 0
    whole, halves = (np.load(tmp_path / name / "checkpoint.npz") for name in ("whole", "halves"))
    with whole, halves:
        assert whole.files == halves.files
        for name in set(whole.files) - {"about"}:  # the log in it holds seconds
            np.testing.assert_array_equal(whole[name], halves[name])


def test_predict_writes_its_results_for_images_of_any_size(run, tmp_path, rng, capsys):
    Image.fromarray(rng.integers(0, 255, (23, 61), np.uint8)).save(tmp_path / "a.png")
    stack = [Image.fromarray(rng.integers(0, 255, (30, 20), np.uint8)) for _ in range(2)]
    stack[0].save(tmp_path / "b.tif", save_all=True, append_images=stack[1:])
    out = tmp_path / "out"
    arguments = ["predict", run / "checkpoint.npz", tmp_path / "a.png", tmp_path / "b.tif", "--out", out]
    assert main([str(argument) for argument in arguments]) == 0
    endings = ("cells.csv", "cells.tif", "classes.png", "overlay.png", "probability.png")
    names = [f"{name}_{ending}" for name in ("a", "b_000", "b_001") for ending in endings]
    assert sorted(path.name for path in out.iterdir()) == names
    probability, classes = (np.asarray(Image.open(out / f"a_{kind}.png")) for kind in ("probability", "classes"))
    assert probability.shape == (23, 61)
    assert set(np.unique(classes)) <= {0, 255}
    grey = 255 * load_network(run / "checkpoint.npz").threshold
    clear = np.abs(probability - grey) > 1
    np.testing.assert_array_equal((probability > grey)[clear], (classes == 255)[clear])


@pytest.mark.parametrize("rotations", [4, 7, 8])
def test_predict_averages_over_rotations(run, tmp_path, cells_folder, rotations):
    image = cells_folder / "images" / "cell0.png"
    pictures = {}
    for count in (1, rotations):
        out = tmp_path / str(count)
        arguments = ["predict", run / "checkpoint.npz", image, "--out", out, "--rotations", count, "--tile", 36]
        assert main([str(argument) for argument in arguments]) == 0
        pictures[count] = np.asarray(Image.open(out / "cell0_probability.png"))
    assert pictures[rotations].shape == pictures[1].shape == (40, 48)
    assert (pictures[rotations] != pictures[1]).any()


def test_without_a_checkpoint_the_network_that_comes_along_finds_cells(tmp_path, capsys):
    image, instances = synthetic_cells(np.random.default_rng(99), 200, 180)  # no image of its training
    for name, camera in (("dim", 400 * image + 1000), ("bright", 60_000 * image)):  # cameras that it does not know
        Image.fromarray(camera.astype(np.uint16)).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "dim.png"), str(tmp_path / "bright.png"), "--out", str(out)]) == 0
    for name in ("dim", "bright"):
        classes = np.array(Image.open(out / f"{name}_classes.png")) > 0
        assert np.mean(classes != (instances > 0)) < 0.08
    capsys.readouterr()
    line = refused(capsys, "predict", "some.npz", "--out", out)
    assert "expected images after the checkpoint" in line


def test_evaluate_without_a_checkpoint_measures_the_network_that_comes_along(tmp_path, cells_folder, capsys):
    assert main(["evaluate", "--data", f"folder:{cells_folder}", "--out", str(tmp_path / "out")]) == 0
    assert "majority" in capsys.readouterr().out
    assert (tmp_path / "out" / "metrics.json").exists()


def test_evaluate_asks_for_data_where_the_network_does_not_say_them(tmp_path, cells_folder, capsys):
    path = tmp_path / "mine.npz"
    save_network(path, Network(init_unet(np.random.default_rng(0), base_channels=2, depth=1), "image"))
    assert "name the data with --data" in refused(capsys, "evaluate", path, "--out", tmp_path / "out")
    assert main(["evaluate", str(path), "--data", f"folder:{cells_folder}", "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("rotations", ["0", "3"])
def test_another_number_of_rotations_is_refused(run, tmp_path, capsys, command, rotations):
    images = [str(tmp_path / "image.png")] * (command == "predict")
    with pytest.raises(SystemExit) as error:
        main([command, str(run / "checkpoint.npz"), *images, "--rotations", rotations, "--out", str(tmp_path / "out")])
    assert error.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"argument --rotations: invalid choice: {rotations} (choose from 1, 4, 7, 8)" in line
    assert not (tmp_path / "out").exists()


def test_evaluate_repeats_what_training_measured(run, tmp_path, capsys):
    assert main(["evaluate", str(run / "checkpoint.npz"), "--out", str(tmp_path / "again")]) == 0
    assert "majority_" in capsys.readouterr().out
    trained, again = (json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "again"))
    assert trained == again


@pytest.mark.slow
def test_gradcheck_passes_on_every_layer_in_time(capsys):
    began = time.process_time()
    assert main(["gradcheck"]) == 0
    assert time.process_time() - began < 30
    printed = capsys.readouterr().out
    names = "conv2d relu max_pool up_conv crop_concat dropout batch_norm softmax_cross_entropy unet"
    for name in names.split():
        assert f"{name}: gradcheck ok" in printed
    assert "too small to compare" not in printed
    assert printed.endswith("all gradients are right\n")


def test_gradcheck_fails_with_code_1_and_says_where(capsys, monkeypatch):
    monkeypatch.setattr("minunet.relu_backward", lambda dy, cache: 2 * relu_backward(dy, cache))
    assert main(["gradcheck", "relu"]) == 1
    printed = capsys.readouterr().out
    assert "wrong in x[" in printed
    assert "It is 2 times the numeric gradient" in printed


def test_summary_prints_figure_1(capsys):
    assert main(["summary", "--input", "572"]) == 0
    printed = capsys.readouterr().out
    for fact in ("31,030,658", "388x388", "568 - 2 * 88, 280 - 2 * 40, 136 - 2 * 16, 64 - 2 * 4", "300.86 GFLOP"):
        assert fact in printed


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "gradcheck", "summary", "grade"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"example: minunet {command}" in " ".join(capsys.readouterr().out.split())


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "minunet", "summary", "--input", "573"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "minunet summary: error: input height 573 does not fit depth 4; the nearest valid heights are 572 and 588\n"
    )


def test_a_size_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, data, capsys):
    line = refused(capsys, "train", "--data", data, "--depth", "3", "--tile", "221", "--out", tmp_path / "new")
    assert "input size 221 does not fit depth 3; the nearest valid sizes are 220 and 228" in line
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_another_run_is_left_alone(run, data, capsys):
    before = contents(run)
    line = refused(capsys, "train", "--data", data, *SMALL, "--steps", "1", "--out", run)
    assert "must be a new or empty folder" in line
    assert "choose another --out or continue it with --resume" in line
    assert "choose another --out" in refused(capsys, "evaluate", run / "checkpoint.npz", "--out", run)
    assert contents(run) == before


def test_out_must_not_be_a_file(tmp_path, data, capsys):
    (tmp_path / "file").write_text("mine")
    line = refused(capsys, "train", "--data", data, "--out", tmp_path / "file")
    assert "--out must be a folder" in line


def test_results_are_not_overwritten(run, tmp_path, cells_folder, capsys):
    image, out = cells_folder / "images" / "cell0.png", tmp_path / "out"
    assert main(["predict", str(run / "checkpoint.npz"), str(image), "--out", str(out)]) == 0
    capsys.readouterr()
    before = contents(out)
    other = cells_folder / "images" / "cell1.png"
    line = refused(capsys, "predict", run / "checkpoint.npz", other, image, "--out", out)
    assert "cell0_probability.png" in line
    assert contents(out) == before  # not even the result of the other image


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "synthetik",
            "expected data in one of the forms synthetic, isbi:DIR, ctc:DIR, dsb2018:DIR, folder:DIR, got 'synthetik'",
        ),
        ("isbi:", "got 'isbi:'"),
        ("isbi:nowhere", "found no folder nowhere"),
        ("folder:nowhere", "found no folder nowhere; check the path"),
    ],
)
def test_data_that_is_not_there(tmp_path, monkeypatch, spec, message, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, "train", "--data", spec)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_in_a_folder(tmp_path, cells_folder, data, capsys):
    def message():
        return refused(capsys, "train", "--data", data, *SMALL, "--out", tmp_path / "new")

    mask = cells_folder / "masks" / "cell1.png"
    whole = mask.read_bytes()
    mask.unlink()
    assert "found none for cell1.png; add cell1.png, or remove the image" in message()
    Image.new("L", (48, 41)).save(mask)
    assert "expected a mask of 40x48 like its image, got 41x48" in message()
    mask.write_bytes(whole[: len(whole) // 2])
    assert "got a damaged one" in message()
    mask.write_bytes(whole)
    grey = np.full((40, 48), np.nan, np.float32)
    (cells_folder / "images" / "cell1.png").unlink()
    Image.fromarray(grey).save(cells_folder / "images" / "cell1.tif")
    assert "got NaN or infinity in 1920 pixels" in message()
    for path in (cells_folder / "images").iterdir():
        path.unlink()
    assert "expected image files, found none" in message()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate", "resume"])
def test_a_checkpoint_that_cannot_be_read(command, run, tmp_path, cells_folder, capsys):
    path = run / "checkpoint.npz"
    image = cells_folder / "images" / "cell0.png"
    arguments = {
        "predict": ["predict", path, image, "--out", tmp_path / "out"],
        "evaluate": ["evaluate", path, "--out", tmp_path / "out"],
        "resume": ["train", "--resume", "--out", run],
    }[command]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    before = contents(run)
    assert "truncated or of another kind" in refused(capsys, *arguments)
    np.savez(path, weight=np.zeros(3))
    assert "an archive of another program" in refused(capsys, *arguments)
    path.unlink()
    assert "found no file" in refused(capsys, *arguments)
    del before[path]
    assert contents(run) == before
    assert not (tmp_path / "out").exists()


def test_images_that_do_not_fit_the_network(run, tmp_path, rng, capsys):
    checkpoint, out = run / "checkpoint.npz", tmp_path / "out"
    colour = tmp_path / "colours.npz"
    save_network(
        colour, Network(init_unet(np.random.default_rng(0), 3, base_channels=2, depth=1), Normalisation("image"))
    )
    Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(tmp_path / "one.png")
    line = refused(capsys, "predict", colour, tmp_path / "one.png", "--out", out)
    assert "one.png: image must have shape (3, H, W) for this network, got (1, 20, 20)" in line
    assert "found none" in refused(capsys, "predict", checkpoint, tmp_path / "nothing.png", "--out", out)
    Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((20, 20), np.nan, np.float32)).save(tmp_path / "nan.tif")
    line = refused(capsys, "predict", checkpoint, tmp_path / "nan.tif", "--out", out)
    assert "nan.tif" in line and "NaN or infinity in 400" in line
    line = refused(capsys, "predict", checkpoint, tmp_path / "grey.png", "--tile", 35, "--out", out)
    assert "the nearest valid sizes are 34 and 36" in line
    assert not out.exists()


def test_resume_keeps_the_run_as_it_was_configured(run, capsys):
    line = refused(capsys, "train", "--resume", "--out", run, "--depth", 2, "--learning-rate", 0.1)
    assert "got --depth, --learning-rate; leave it out, or start a new run" in line
    assert "--resume needs the folder of the run" in refused(capsys, "train", "--resume")


def test_an_unknown_layer_names_the_known_ones(capsys):
    assert "layer must be one of conv2d, relu" in refused(capsys, "gradcheck", "conv3d")


@pytest.mark.skipif(os.name == "nt", reason="the time is that of a POSIX process")
def test_import_is_quick_and_leaves_matplotlib_alone():
    """Counted in modules, too: the time, 0.3 s to 0.9 s, depends on byte code and on other work."""
    code = "import sys, time; t = time.process_time(); import minunet; print(time.process_time() - t, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    assert len(modules) < 550 and float(seconds) < 2  # 488 modules; scipy.ndimage alone would be 152 more
    assert "matplotlib" not in modules
