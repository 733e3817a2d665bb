"""`minunet predict` and `minunet evaluate` as a user meets them, with a checkpoint and without."""

import json

import numpy as np
import pytest
from PIL import Image

from minunet import Network, init_unet, load_network, save_network
from minunet.cli.main import main
from minunet.data import synthetic_cells


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


def test_without_a_checkpoint_the_network_that_comes_along_finds_cells(tmp_path, capsys, refused):
    image, instances = synthetic_cells(np.random.default_rng(99), 200, 180)  # no image of its training
    for name, camera in (("dim", 400 * image + 1000), ("bright", 60_000 * image)):  # cameras that it does not know
        Image.fromarray(camera.astype(np.uint16)).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "dim.png"), str(tmp_path / "bright.png"), "--out", str(out)]) == 0
    for name in ("dim", "bright"):
        classes = np.array(Image.open(out / f"{name}_classes.png")) > 0
        assert np.mean(classes != (instances > 0)) < 0.08
    capsys.readouterr()
    line = refused("predict", "some.npz", "--out", out)
    assert "expected images after the checkpoint" in line


def test_evaluate_without_a_checkpoint_measures_the_network_that_comes_along(tmp_path, cells_folder, capsys):
    assert main(["evaluate", "--data", f"folder:{cells_folder}", "--out", str(tmp_path / "out")]) == 0
    assert "majority" in capsys.readouterr().out
    names = ["contact_sheet.png", "metrics.json", "predictions.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


@pytest.mark.usefixtures("no_pictures")
def test_evaluate_asks_for_data_where_the_network_does_not_say_them(tmp_path, cells_folder, refused):
    path = tmp_path / "mine.npz"
    save_network(path, Network(init_unet(np.random.default_rng(0), base_channels=2, depth=1), "image"))
    assert "name the data with --data" in refused("evaluate", path, "--out", tmp_path / "out")
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


@pytest.mark.usefixtures("no_pictures")
def test_evaluate_takes_colour_images_as_predict_does(finished_run, tmp_path, cells_folder, capsys):
    folders = {"grey": [str(finished_run), "--data", f"folder:{cells_folder}", "--out", str(tmp_path / "grey")]}
    folders["colour"] = [*folders["grey"][:-1], str(tmp_path / "colour")]
    assert main(["evaluate", *folders["grey"]]) == 0
    for path in (cells_folder / "images").iterdir():
        grey = np.array(Image.open(path))
        Image.fromarray(np.stack([grey, grey, np.maximum(grey, 1) - 1], axis=-1)).save(path)
    assert main(["evaluate", *folders["colour"]]) == 0
    of_grey, of_colour = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in folders)
    assert of_colour["pixel_error"] == pytest.approx(of_grey["pixel_error"], abs=0.01)


@pytest.mark.usefixtures("no_pictures")
def test_evaluate_repeats_what_training_measured(run, tmp_path, capsys):
    assert main(["evaluate", str(run / "checkpoint.npz"), "--out", str(tmp_path / "again")]) == 0
    assert "majority_" in capsys.readouterr().out
    trained, again = (json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "again"))
    assert trained == again
