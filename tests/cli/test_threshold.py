"""The threshold of a network: chosen by `train`, used by `predict` and `evaluate`, replaced by an option."""

import json

import numpy as np
import pytest
import tifffile
from checkpoint_file import rewrite

from minunet import InputError, label_cells, load_network, predict, read_image, save_network
from minunet.cli.main import main
from minunet.metrics.chosen_threshold import Choice
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.training import train
from minunet.training.run_folder import resume_run

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def at_a_third(tmp_path):
    """Return the path of the network that comes along, with the threshold 0.3."""
    path = tmp_path / "network.npz"
    save_network(path, load_network("cells")._replace(threshold=0.3))
    return str(path)


def test_a_run_ends_with_the_chosen_threshold_in_its_checkpoint_and_its_measures(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minunet.cli.measure_and_save.choose_threshold", lambda *images: Choice(0.35, 0.1, 0.2))
    assert main(["train", "--resume", str(run), "--steps", "11"]) == 0
    printed = capsys.readouterr().out
    assert "threshold 0.35: on 1 held-out image, the pixel error is 0.1000 with it, and 0.2000 with 0.5" in printed
    assert "minutes of training; with validation, measures and pictures " in printed
    assert load_network(run / "checkpoint.npz").threshold == resume_run(run).threshold == 0.35
    measured = json.loads((run / "metrics.json").read_text())
    assert measured["threshold"] == 0.35

    out = tmp_path / "again"
    assert main(["evaluate", str(run), "--out", str(out)]) == 0
    assert "measured at threshold 0.35, as stored with the network" in capsys.readouterr().out
    assert json.loads((out / "metrics.json").read_text())["pixel_error"] == measured["pixel_error"]


def test_evaluate_takes_another_threshold(run, tmp_path, capsys):
    shares = {}
    for threshold in ("0.02", "0.98"):
        out = tmp_path / threshold
        assert main(["evaluate", str(run), "--out", str(out), "--threshold", threshold]) == 0
        assert f"measured at threshold {threshold}, as asked for" in capsys.readouterr().out
        shares[threshold] = json.loads((out / "metrics.json").read_text())
    assert shares["0.02"]["pixel_error"] != shares["0.98"]["pixel_error"]
    assert shares["0.02"]["iou"] > shares["0.98"]["iou"]  # everything is cell, and nothing


def test_predict_finds_cells_at_the_stored_threshold_or_the_one_asked_for(at_a_third, cells_folder, tmp_path):
    image = cells_folder / "images" / "cell0.png"
    probabilities = predict(load_network(at_a_third), read_image(image))
    for options, threshold in (([], 0.3), (["--threshold", "0.8"], 0.8)):
        out = tmp_path / f"at {threshold}"
        assert main(["predict", at_a_third, str(image), "--out", str(out), "--only", "cells", *options]) == 0
        found = tifffile.imread(out / "cell0_cells.tif")
        np.testing.assert_array_equal(found, label_cells(probabilities, threshold, split=0.2))
    assert (label_cells(probabilities, 0.3) != label_cells(probabilities, 0.8)).any()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_threshold_that_cannot_be_is_refused_before_the_work(run, tmp_path, capsys, command):
    words = [command, str(run), *(["image.png"] if command == "predict" else []), "--threshold", "1.5"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    expected = f"minunet {command}: error: --threshold must be a number above 0 and below 1, got 1.5; 0.5 is usual\n"
    assert capsys.readouterr().err == expected and not (tmp_path / "out").exists()


def test_a_file_gives_the_threshold_back_and_an_older_one_means_a_half(at_a_third, tmp_path):
    assert load_network(at_a_third).threshold == 0.3
    assert repr(load_network(at_a_third)).endswith(", threshold 0.3, split 0.2)")
    rewrite(at_a_third, lambda about: about.pop("threshold"))
    assert load_network(at_a_third).threshold == 0.5


@pytest.mark.parametrize("odd", [0, 1, -1, 2, None, "0.5", [], True, float("nan"), float("inf")])
def test_a_file_with_another_threshold_is_refused(at_a_third, odd):
    rewrite(at_a_third, lambda about: about.update(threshold=odd))
    with pytest.raises(InputError, match=r"network\.npz: threshold must be a number above 0 and below 1"):
        load_checkpoint(at_a_third)
    with pytest.raises(InputError, match="threshold must be"):
        save_network(at_a_third, load_network("cells")._replace(threshold=odd))


def test_validation_on_a_part_is_announced_once(run, monkeypatch, capsys):
    monkeypatch.setattr("minunet.training.validation.LEAST", 1)
    monkeypatch.setattr("minunet.training.validation.SMALLEST", 16)
    monkeypatch.setattr("minunet.cli.train.measure_and_save", lambda *args: None)
    assert main(["train", "--resume", str(run), "--steps", "30"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("validation on ")]
    assert len(lines) == 1 and lines[0].startswith("validation on windows of at most ")
    assert train.VALIDATIONS == 10
