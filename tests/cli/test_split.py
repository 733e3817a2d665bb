"""How touching cells are told apart: chosen by `train`, used by `predict` and `evaluate`, replaced by an option."""

import json

import numpy as np
import pytest
import tifffile
from checkpoint_file import rewrite
from PIL import Image

from minunet import InputError, label_cells, load_network, predict, read_image, save_network
from minunet.cli.main import main
from minunet.data import synthetic_cells
from minunet.metrics.chosen_split import SplitChoice
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.training.run_folder import resume_run

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def whole(tmp_path):
    """Return the path of the network that comes along, which splits nothing here."""
    path = tmp_path / "network.npz"
    save_network(path, load_network("cells")._replace(split=1))
    return str(path)


def test_a_run_ends_with_the_chosen_split_in_its_checkpoint_and_its_measures(run, tmp_path, monkeypatch, capsys):
    choice = SplitChoice(0.3, "SEG", {0.1: 0.6, 0.2: 0.65, 0.3: 0.7, 1: 0.5})
    monkeypatch.setattr("minunet.cli.measure_and_save.choose_split", lambda *images: choice)
    assert main(["train", "--resume", str(run), "--steps", "11"]) == 0
    expected = "falls by 0.3; on 1 held-out image, SEG is 0.700 so, and 0.500 where they are one\n"
    assert expected in capsys.readouterr().out
    assert load_network(run / "checkpoint.npz").split == resume_run(run).split == 0.3
    assert json.loads((run / "metrics.json").read_text())["split"] == 0.3

    for options, split, whose in (([], 0.3, "as stored with the network"), (["--split", "0.1"], 0.1, "as asked for")):
        out = tmp_path / f"by {split}"
        assert main(["evaluate", str(run), "--out", str(out), *options]) == 0
        assert f"and split {split}, {whose}\n" in capsys.readouterr().out
        assert json.loads((out / "metrics.json").read_text())["split"] == split


def test_predict_tells_cells_apart_as_stored_or_as_asked_for(whole, tmp_path, rng, capsys):
    image = tmp_path / "cell0.png"
    cells = synthetic_cells(rng, 100, 120)[0]
    Image.fromarray(np.uint8(255 * (cells - cells.min()) / np.ptp(cells))).save(image)
    probabilities = predict(load_network(whole), read_image(image))
    said = {1: "one (--split)", 0.05: "told apart where the probability falls by 0.05 (--split)"}
    for options, split in (([], 1), (["--split", "0.05"], 0.05)):
        out = tmp_path / f"by {split}"
        assert main(["predict", whole, str(image), "--out", str(out), "--only", "cells", *options]) == 0
        found = tifffile.imread(out / "cell0_cells.tif")
        np.testing.assert_array_equal(found, label_cells(probabilities, split=split))
        above = "a pixel is cell above a probability of 0.5 (--threshold)"
        assert capsys.readouterr().err == f"minunet predict: {whole}: {above}; cells that touch are {said[split]}\n"
    assert label_cells(probabilities, split=1).max() < label_cells(probabilities, split=0.05).max()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_split_that_cannot_be_is_refused_before_the_work(run, tmp_path, capsys, command):
    words = [command, str(run), *(["image.png"] if command == "predict" else []), "--split", "0"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    expected = f"minunet {command}: error: --split must be a number above 0 and at most 1, got 0.0; 0.1 is usual, and "
    assert capsys.readouterr().err == expected + "1 splits no cell\n" and not (tmp_path / "out").exists()


def test_a_slide_is_not_split(whole, tmp_path, capsys):
    words = ["predict", whole, "slide.zarr", "--out", str(tmp_path / "out.zarr"), "--split", "0.1"]
    assert main(words) == 2
    assert "a slide's cells are not split where they touch, got --split 0.1; leave it out" in capsys.readouterr().err


def test_a_file_gives_the_split_back_and_an_older_one_means_a_tenth(whole):
    assert load_network(whole).split == 1
    assert repr(load_network(whole)).endswith(", split 1)")
    rewrite(whole, lambda about: about.pop("split"))
    assert load_network(whole).split == 0.1


@pytest.mark.parametrize("odd", [0, -1, 2, None, "0.5", [], True, float("nan")])
def test_a_file_with_another_split_is_refused(whole, odd):
    rewrite(whole, lambda about: about.update(split=odd))
    with pytest.raises(InputError, match=r"network\.npz: split must be a number above 0 and at most 1"):
        load_checkpoint(whole)
    with pytest.raises(InputError, match="split must be"):
        save_network(whole, load_network("cells")._replace(split=odd))
