"""One line for bad input, whatever the command, and nothing is written."""

import numpy as np
import pytest
from PIL import Image

from minunet import Network, Normalisation, init_unet, save_network
from minunet.cli.main import main

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36"]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_size_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, data, refused):
    line = refused("train", "--data", data, "--depth", "3", "--tile", "221", "--out", tmp_path / "new")
    assert "input size 221 does not fit depth 3; the nearest valid sizes are 220 and 228" in line
    assert not (tmp_path / "new").exists()
    assert "--tile 220: input size 220 does not fit depth 5" in refused("train", "--data", data, "--depth", "5")


def test_a_folder_that_holds_another_run_is_left_alone(run, data, refused):
    before = contents(run)
    line = refused("train", "--data", data, *SMALL, "--steps", "1", "--out", run)
    assert "must be a new or empty folder" in line
    assert "choose another --out or continue it with --resume" in line
    assert "choose another --out" in refused("evaluate", run / "checkpoint.npz", "--out", run)
    assert contents(run) == before


def test_out_must_not_be_a_file(tmp_path, data, refused):
    (tmp_path / "file").write_text("mine")
    line = refused("train", "--data", data, "--out", tmp_path / "file")
    assert "--out must be a folder" in line


def test_results_are_not_overwritten(run, tmp_path, cells_folder, capsys, refused):
    image, out = cells_folder / "images" / "cell0.png", tmp_path / "out"
    assert main(["predict", str(run / "checkpoint.npz"), str(image), "--out", str(out)]) == 0
    capsys.readouterr()
    before = contents(out)
    other = cells_folder / "images" / "cell1.png"
    line = refused("predict", run / "checkpoint.npz", other, image, "--out", out)
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
def test_data_that_is_not_there(tmp_path, monkeypatch, spec, message, refused):
    monkeypatch.chdir(tmp_path)
    assert message in refused("train", "--data", spec)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_in_a_folder(tmp_path, cells_folder, data, refused):
    def message():
        return refused("train", "--data", data, *SMALL, "--out", tmp_path / "new")

    mask = cells_folder / "masks" / "cell1.png"
    whole = mask.read_bytes()
    mask.unlink()
    assert "found none for cell1.png; add cell1.png, or rename its mask to that, or remove" in message()
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
def test_a_checkpoint_that_cannot_be_read(command, run, tmp_path, cells_folder, refused):
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
    assert "truncated or of another kind" in refused(*arguments)
    np.savez(path, weight=np.zeros(3))
    assert "an archive of another program" in refused(*arguments)
    path.unlink()
    assert "found no file" in refused(*arguments)
    del before[path]
    assert contents(run) == before
    assert not (tmp_path / "out").exists()


def test_images_that_do_not_fit_the_network(run, tmp_path, rng, refused):
    checkpoint, out = run / "checkpoint.npz", tmp_path / "out"
    colour = tmp_path / "colours.npz"
    save_network(
        colour, Network(init_unet(np.random.default_rng(0), 3, base_channels=2, depth=1), Normalisation("image"))
    )
    Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(tmp_path / "one.png")
    line = refused("predict", colour, tmp_path / "one.png", "--out", out)
    assert "one.png: image must have shape (3, H, W) for this network, got (1, 20, 20)" in line
    assert "found none" in refused("predict", checkpoint, tmp_path / "nothing.png", "--out", out)
    Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((20, 20), np.nan, np.float32)).save(tmp_path / "nan.tif")
    line = refused("predict", checkpoint, tmp_path / "nan.tif", "--out", out)
    assert "nan.tif" in line and "NaN or infinity in 400" in line
    line = refused("predict", checkpoint, tmp_path / "grey.png", "--tile", 35, "--out", out)
    assert "the nearest valid sizes are 34 and 36" in line
    assert not out.exists()


def test_resume_keeps_the_run_as_it_was_configured(run, refused):
    line = refused("train", "--resume", "--out", run, "--depth", 2, "--learning-rate", 0.1)
    assert "got --depth, --learning-rate; leave it out, or start a new run" in line
    assert "--resume needs the folder of the run" in refused("train", "--resume")


def test_an_unknown_layer_names_the_known_ones(refused):
    assert "layer must be one of conv2d, relu" in refused("gradcheck", "conv3d")
