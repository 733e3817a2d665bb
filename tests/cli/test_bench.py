"""`minunet bench`: what it times is the network's, and it stops in one line where it cannot."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from minunet.cli.bench import minunet_side, sides
from minunet.cli.bench.in_turn import better, ratio, time_in_turn
from minunet.cli.bench.layer import Layer, layers_of
from minunet.cli.bench.report import layer_line, run_table, step_table
from minunet.cli.bench.sides import Side
from minunet.cli.bench.worker import arrays_of
from minunet.cli.main import main
from minunet.errors import InputError

SMALL = {"height": 36, "width": 36, "base_channels": 2, "depth": 1}


def test_the_layers_of_the_papers_network():
    layers = layers_of({"height": 572, "width": 572, "base_channels": 64, "depth": 4})
    assert len(layers) == 18 and layers[0] == Layer(1, 64, 572, 572) and layers[-1] == Layer(64, 64, 390, 390)
    assert layers[1].flops == 2 * 9 * 64 * 64 * 568**2
    assert layers[1].intensity == pytest.approx(layers[1].flops / 4 / (64 * 570**2 + 9 * 64**2 + 64 * 568**2))


def test_the_passes_are_those_of_the_layer_and_of_the_network():
    arrays = arrays_of(Layer(2, 3, 7, 6))
    forward, backward = minunet_side.layer_passes(arrays, "cpu")
    assert forward()[0].shape == (1, 3, 5, 4)
    dx, dweight, _ = backward()
    assert dx.shape == (1, 2, 7, 6) and dweight.shape == (3, 2, 3, 3)
    forward, backward = minunet_side.step_passes({**SMALL, "batch": 2}, "cpu")
    for _ in range(2):
        forward()
        backward()


def test_a_worker_times_and_tells_its_peak():
    with Side("minunet", "cpu") as side:
        assert side.ask(prepare="step", network=SMALL) == {}
        assert 0 < side.seconds(0) < 10 and 0 < side.seconds(1) < 10
        assert side.ask(peak=True)["bytes"] > 1_000_000
        with pytest.raises(InputError, match=r"minunet on cpu stopped: .*nothing_such"):
            side.ask(prepare="nothing_such", size=3)


def test_tables_hold_speeds_and_ratios():
    layer = Layer(64, 64, 66, 66)
    seconds = layer.flops / 1e9  # at 1 GFLOP/s
    row = {"layer": layer, "minunet": [seconds / 100, seconds / 50], "torch": [seconds / 80, seconds / 40]}
    line = layer_line(row, ["minunet", "torch"], {"flops": 200e9})
    assert line.split() == ["64", "->", "64", "at", "66", "100", "80", "100", "80", "50%,", "50%"]
    step = {"minunet": {"seconds": [1.0, 2.0], "peak": 1e9}, "torch": {"seconds": [2.0, 4.0], "peak": 4e9}}
    title, ours, theirs, ratios = (line.split() for line in step_table(step, batch=6).splitlines())
    assert ours == ["minunet", *"1.000 s 2.000 s 3.000 s 2 1.00 GB".split()] and theirs[-3] == "1"
    assert ratios == ["/", "torch", "0.50", "0.50", "0.50", "2.00", "0.25"]


def test_a_worker_trains_and_predicts():
    with Side("minunet", "cpu", threads=1) as side:
        assert side.ask(prepare="training", network={**SMALL, "batch": 3}) == {}
        assert all(0 < side.seconds(which, calls=2, warm=True) < 10 for which in (0, 1))
        assert side.ask(prepare="image", network={**SMALL, "image": 40}) == {}
        assert 0 < side.seconds(0) < 10


def test_a_side_takes_as_many_threads_as_it_is_told(monkeypatch):
    given = []
    monkeypatch.setattr(sides.subprocess, "Popen", lambda command, env, **pipes: given.append(env))
    for threads in (1, 3, None):
        Side("minunet", "cpu", threads).__enter__()
    assert [env["OPENBLAS_NUM_THREADS"] for env in given] == ["1", "3", os.environ["OPENBLAS_NUM_THREADS"]]
    assert Side("torch", "cpu", 1).label == "torch, 1 thread" and Side("torch", "cpu").label == "torch"


class Clockwork:
    """A side whose passes take a known time."""

    def __init__(self, label, seconds, log):
        self.label, self.times, self.log = label, seconds, log

    def ask(self, **case):
        self.log.append((self.label, case))

    def seconds(self, which, calls=1, warm=False):
        self.log.append((self.label, which, calls, warm))
        return self.times[which]


def test_sides_take_turns_in_short_rounds():
    log = []
    two = [Clockwork("ours", [0.02, 0.5], log), Clockwork("theirs", [0.01, 1.0], log)]
    times = time_in_turn(two, seconds=0, least=3, prepare="it")
    assert log[:2] == [("ours", {"prepare": "it"}), ("theirs", {"prepare": "it"})]
    ours, theirs = ([("ours", 0, 3, True), ("ours", 1, 1, False)], [("theirs", 0, 6, True), ("theirs", 1, 1, False)])
    assert log[6:] == [*ours, *theirs, *theirs, *ours, *ours, *theirs]  # after a look at how long each takes
    assert {label: passes.shape for label, passes in times.items()} == {"ours": (2, 3), "theirs": (2, 3)}
    assert ratio(times, "ours", "theirs", 0) == 2 and ratio(times, "ours", "theirs", 1) == 0.5
    assert better(times, ["ours", "theirs"], 0) == "theirs" and better(times, ["ours", "theirs"], 1) == "ours"


def test_a_moment_in_which_the_machine_is_busy_does_not_count():
    slow = np.array([1.0, 1.0, 50.0, 3.0, 1.0])  # what the machine does to both
    times = {"ours": np.array([slow]), "theirs": np.array([2 * slow])}
    assert ratio(times, "ours", "theirs", 0) == 0.5


def test_the_table_of_what_people_run():
    labels = ["minunet, 1 thread", "torch, 1 thread", "minunet", "torch"]
    times = {label: np.full((2, 3), 0.1 * k) for k, label in enumerate(labels, start=1)}
    lines = run_table(times, dict.fromkeys(labels, 10**9), batch=2).splitlines()
    assert lines[1].split() == "minunet, 1 thread 100.0 ms 20 100.0 ms 20 1.00 GB".split()
    assert lines[4].split() == "torch 400.0 ms 5 400.0 ms 5 1.00 GB".split()
    assert [line.split() for line in lines[5:]] == [
        "/ minunet, 1 thread 3.00 0.33 3.00 0.33".split(),
        "/ torch, 1 thread 0.50 2.00 0.50 2.00".split(),
        "/ torch 0.75 1.33 0.75 1.33".split(),
    ]


@pytest.mark.gpu
def test_a_worker_times_on_a_gpu_by_events():
    with Side("minunet", "gpu") as side:
        side.ask(prepare="layer", shape=[2, 3, 6, 6])
        assert side.seconds(0, calls=3) >= 0 and side.seconds(1, calls=3) >= 0
        side.ask(prepare="step", network=SMALL)
        assert side.seconds(0) >= 0 and side.seconds(1) >= 0 and side.ask(peak=True)["bytes"] >= 0


@pytest.mark.slow
def test_bench_prints_and_draws(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("minunet.cli.bench.sides.PRODUCT", 256)
    monkeypatch.setattr("minunet.cli.bench.command.SECONDS", 0)
    monkeypatch.setattr("minunet.cli.bench.sides.COPY", {"cpu": 10**6})
    out = tmp_path / "bench.png"
    arguments = ["--input", "36", "--base-channels", "2", "--depth", "1", "--rounds", "1", "--device", "cpu"]
    assert main(["bench", *arguments, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "matrix product" in text and "2 -> 2 at 34" in text and "training step" in text and "what people run" in text
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rounds", "0"], "rounds must be at least 1, got 0"),
        (["--batch", "0"], "--batch must be"),
        (["--input", "573"], "input height 573 does not fit depth 4"),
        (["--out", "no/such/folder/bench.png"], "no/such/folder"),
        (["--out", "bench"], "--out must end with .png, .pdf, .svg, got bench; try bench.png"),
    ],
)
def test_bad_options_are_refused_before_anything_is_timed(arguments, expected, capsys):
    assert main(["bench", *arguments]) == 2
    assert expected in capsys.readouterr().err


def test_without_torch_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["bench", "--against", "torch"]) == 2
    assert "needs PyTorch, found none; install it with python -m pip install torch" in capsys.readouterr().err


@pytest.mark.slow
def test_torchs_side_computes_the_same(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    code = """
import json, numpy as np
from minunet.cli.bench import minunet_side, torch_side
from minunet.cli.bench.layer import Layer
from minunet.cli.bench.worker import arrays_of
arrays = arrays_of(Layer(2, 3, 7, 6))
ours, theirs = (side.layer_passes(arrays, "cpu")[1]() for side in (minunet_side, torch_side))
print(json.dumps([float(np.abs(a - b.numpy()).max()) for a, b in zip(ours, theirs)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert np.max(json.loads(done.stdout)) < 1e-4
