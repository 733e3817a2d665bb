"""--void, from the option to the measures."""

import json

import numpy as np
import pytest
from cells_on_disk import write_cells
from PIL import Image

from minunet import load_network, predict
from minunet.cli.main import main
from minunet.data import load_data
from minunet.training.run_folder import resume_run

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "3"]


@pytest.mark.usefixtures("no_pictures")
def test_void_is_kept_by_a_run_and_left_out_of_every_measure(tmp_path, capsys):
    folder = write_cells(tmp_path / "cells")
    for path in sorted((folder / "masks").iterdir()):
        mask = np.array(Image.open(path))
        mask[18:28, 4:20] = 128
        mask[30:36, 30:40] = 64
        Image.fromarray(mask).save(path)
    data, run = f"folder:{folder}", tmp_path / "run"
    assert main(["train", "--data", data, "--classes", "0,64,255", "--void", "128", *SMALL, "--out", str(run)]) == 0
    assert "; 128 is void (8.33 % of pixels): not learnt, not measured" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["void"] == resume_run(run).config.void == "128"

    metrics = json.loads((run / "metrics.json").read_text())
    (sample,) = load_data(data, classes="0,64,255", void="128").validation
    network = load_network(str(run / "checkpoint.npz"))
    p = predict(network, sample.image)
    assert network.threshold == 0.5
    assert metrics["pixel_error"] == pytest.approx(np.mean((p.argmax(axis=0) != sample.labels)[sample.known]))
    shares = [np.mean(sample.labels[sample.known] == k) for k in range(3)]
    assert [row["share"] for row in metrics["classes"]] == pytest.approx(shares)

    assert main(["evaluate", str(run), "--out", str(tmp_path / "again")]) == 0  # with the run's setting
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["classes"] == metrics["classes"] and again["v_rand"] == metrics["v_rand"]
    assert main(["evaluate", str(run), "--data", data, "--classes", "0,255", "--out", str(tmp_path / "x")]) == 2
    assert "--void 64 leaves out what is of no class" in capsys.readouterr().err
    classes = "#000000,#ffffff"
    assert main(["evaluate", str(run), "--data", data, "--classes", classes, "--out", str(tmp_path / "x")]) == 2
    assert '--void "#404040" leaves out what is of no class' in capsys.readouterr().err  # as a shell takes it
