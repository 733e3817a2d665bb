"""`minunet train` as a user meets it: what it prints, what it writes, and how a run goes on."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from minunet.cli.main import main
from minunet.network.trained.checkpoint import load_checkpoint

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36"]


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
@pytest.mark.usefixtures("no_pictures")  # but for those of the weights
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
@pytest.mark.usefixtures("no_pictures")
def test_train_without_out_numbers_its_folder(tmp_path, data, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert main(["train", "--data", data, *SMALL, "--steps", "1"]) == 0
        assert (tmp_path / "runs" / f"folder-{number}" / "metrics.json").exists()


@pytest.mark.usefixtures("no_pictures")
def test_resume_goes_on_to_more_steps(run, capsys):
    assert main(["train", "--resume", "--out", str(run), "--steps", "13"]) == 0
    assert len((run / "log.csv").read_text().splitlines()) == 1 + 13
    assert json.loads((run / "config.json").read_text())["steps"] == 13


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
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
