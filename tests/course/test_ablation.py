"""The ablation that page 20 reads: its skips are cut, its table is complete, and a run that was stopped goes on."""

import copy
import importlib.util
import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from minunet import flatten, init_unet
from minunet.errors import InputError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def ablation():
    spec = importlib.util.spec_from_file_location("ablation", BENCHMARKS / "ablation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_weights_that_read_a_skip_are_cut_and_no_others(ablation):
    params = init_unet(np.random.default_rng(0), base_channels=2, depth=2)
    before = flatten(copy.deepcopy(params))
    ablation.cut_skips(params)
    for name, after in flatten(params).items():
        if name.startswith("decode") and name.endswith("conv1.weight"):
            half = after.shape[1] // 2
            assert not after[:, :half].any() and np.array_equal(after[:, half:], before[name][:, half:]), name
        else:
            assert np.array_equal(after, before[name]), name


def test_the_committed_table_has_every_variation_for_at_least_three_seeds(ablation):
    results = json.loads((files("minunet.course") / "ablation.json").read_text(encoding="utf-8"))
    seeds = {row["seed"] for row in results["rows"]}
    found = sorted((row["variation"], row["seed"]) for row in results["rows"])
    assert len(seeds) >= 3
    assert found == sorted((name, seed) for name in ablation.VARIATIONS for seed in seeds)
    assert set(results["measured"]) == {"machine", "date", "commit"}
    assert "dirty" not in results["measured"]["commit"]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_other_settings_are_refused(ablation, tmp_path, monkeypatch, capsys):
    out = tmp_path / "ablation.json"
    monkeypatch.setattr(ablation, "VARIATIONS", {name: ablation.VARIATIONS[name] for name in ("without skips",)})
    command = ["ablation.py", "--steps", "2", "--images", "1", "--base-channels", "2", "--out", str(out), "--seeds"]
    monkeypatch.setattr(sys, "argv", [*command, "0"])
    ablation.main()
    first = json.loads(out.read_text())["rows"]
    monkeypatch.setattr(sys, "argv", [*command, "0", "1"])
    ablation.main()
    rows = json.loads(out.read_text())["rows"]
    assert rows[:1] == first and [row["seed"] for row in rows] == [0, 1]
    assert "| without skips |" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [part if part != "2" else "3" for part in [*command, "0"]])
    with pytest.raises(InputError, match="choose another --out"):
        ablation.main()
