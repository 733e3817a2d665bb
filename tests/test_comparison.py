"""The scripts that compare minunet with a framework, on results that are there already: nothing is trained."""

import csv
import json
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from minunet.data import load_data

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def probabilities(tmp_path, cells_folder):
    """Return a file with probabilities of the held-out images; every tenth row of pixels is wrong, from row 5 on."""
    found = []
    for sample in load_data(f"folder:{cells_folder}").validation:
        cell = sample.labels.astype(bool)
        cell[5::10] ^= True
        found.append(np.stack([0.8 - 0.6 * cell, 0.2 + 0.6 * cell]))
    np.savez(tmp_path / "probabilities.npz", *found)
    return tmp_path / "probabilities.npz"


def run(monkeypatch, name, *words):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    return runpy.run_path(str(BENCHMARKS / name), run_name="__main__")


def test_two_sides_are_measured_alike_and_named_without_the_path(
    tmp_path, cells_folder, probabilities, monkeypatch, capsys
):
    def write_results(words, **_):
        folder = Path(words[words.index("--out") + 1]).parent
        if "minunet" in words:
            (folder / "run").mkdir()
            (folder / "run" / "metrics.json").write_text(json.dumps({"pixel_error": 0.25, "iou": 0.5, "seg": None}))
        else:
            (folder / "probabilities.npz").write_bytes(probabilities.read_bytes())
        return types.SimpleNamespace(wait=lambda: 0)  # a process that has ended

    monkeypatch.setattr("subprocess.Popen", write_results)
    run(monkeypatch, "against_unet.py", f"folder:{cells_folder}", "--seeds", 0, 1, "--out", tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["side"], row["seed"]) for row in rows] == [
        (side, seed) for seed in "01" for side in ("minunet", "PyTorch")
    ]
    assert {row["data"] for row in rows} == {f"folder:{cells_folder.name}"}
    assert [row["pixel_error"] for row in rows[:2]] == ["0.25", "0.1"]
    assert rows[0]["v_rand"] == "" and 0 < float(rows[1]["v_rand"]) < 1 and {row["seg"] for row in rows} == {""}
    first, second = [line for line in capsys.readouterr().out.splitlines() if "mean of 2" in line]
    assert first == f"folder:{cells_folder.name}, minunet, mean of 2: pixel_error 0.2500  iou 0.5000"
    assert ", PyTorch, mean of 2: pixel_error 0.1000  " in second


def test_errors_are_counted_by_their_distance_to_the_edge(cells_folder, probabilities, monkeypatch, capsys):
    run(monkeypatch, "edge_errors.py", f"folder:{cells_folder}", probabilities)
    head, _, cells, wrong = capsys.readouterr().out.splitlines()
    (sample,) = load_data(f"folder:{cells_folder}").validation
    assert head == "| 1 images | 0 to 1 | 1 to 4 | 4 to 16 | 16 to 48 | 48 and more | all |"
    H, W = sample.labels.shape
    assert wrong.split(" | ")[1] == f"{2 * (H // 10) / (2 * (H + W) - 4):.4f}"  # of the outermost pixels
    assert wrong.split(" | ")[-2:] == ["-", "0.1000 |"]  # no pixel is so far inside
    assert cells.split(" | ")[-1].startswith(f"{sample.labels.astype(bool).mean():.4f}")
