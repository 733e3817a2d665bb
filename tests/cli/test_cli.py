"""The command line as a whole, and the commands that need no data: help, `gradcheck`, `summary`."""

import os
import subprocess
import sys
import time

import pytest

from minunet import relu_backward
from minunet.cli.main import main


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


@pytest.mark.skipif(os.name == "nt", reason="the time is that of a POSIX process")
def test_import_is_quick_and_leaves_matplotlib_alone():
    """Counted in modules, too: the time, 0.3 s to 0.9 s, depends on byte code and on other work."""
    code = "import sys, time; t = time.process_time(); import minunet; print(time.process_time() - t, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    assert len(modules) < 550 and float(seconds) < 2  # 488 modules; scipy.ndimage alone would be 152 more
    assert "matplotlib" not in modules
