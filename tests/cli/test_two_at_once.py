"""Commands that are started at the same time do not write over each other's results."""

import subprocess
import sys

import pytest

from minunet.cli.main import main
from minunet.training.folder_lock import locked

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "3"]


@pytest.fixture
def image(cells_folder):
    return str(cells_folder / "images" / "cell0.png")


@pytest.fixture
def arguments(cells_folder, finished_run, image):
    """Return what each command takes before --out."""
    data = ["--data", f"folder:{cells_folder}"]
    return {
        "train": ["train", *data, *SMALL],
        "evaluate": ["evaluate", str(finished_run), *data],
        "predict": ["predict", str(finished_run), image],
    }


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_a_folder_that_another_process_holds_is_refused(command, arguments, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    with locked(out):
        before = sorted(out.iterdir())
        assert main([*arguments[command], "--out", str(out)]) == 2
        assert sorted(out.iterdir()) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"minunet {command}: error: {out} must be free, but process ")
    assert line.endswith(" writes to it; wait until it ends, or choose another folder")


def test_a_run_that_is_under_way_is_not_resumed(finished_run, capsys):
    with locked(finished_run):
        assert main(["train", "--resume", str(finished_run)]) == 2
    assert "must be free, but process " in capsys.readouterr().err


def test_predict_takes_the_next_folder_while_another_process_writes_to_the_first(
    arguments, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "predictions").mkdir()
    with locked(tmp_path / "predictions"):
        assert main(arguments["predict"]) == 0
    assert "predictions-2/cell0_probability.png" in capsys.readouterr().out.replace("\\", "/")


@pytest.mark.slow
def test_three_of_a_kind_at_once_write_three_folders(arguments, tmp_path):
    for command, stem in (
        ("evaluate", "runs/evaluation-folder-"),
        ("predict", "predictions"),
        ("train", "runs/folder-"),
    ):
        line = [sys.executable, "-m", "minunet", *arguments[command]]
        three = [subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        printed = [process.communicate(timeout=100)[0] for process in three]
        assert [process.returncode for process in three] == [0, 0, 0]
        assert len(list(tmp_path.glob(f"{stem}*/*.png"))) == 3 * {"evaluate": 2, "predict": 3, "train": 3}[command]
        assert len(set(printed)) == 3  # each names its own folder


@pytest.mark.slow
def test_of_two_that_are_told_the_same_folder_one_is_refused(arguments, tmp_path):
    for command in arguments:
        line = [sys.executable, "-m", "minunet", *arguments[command], "--out", str(tmp_path / command)]
        line += ["--min-area", "6"] if command == "predict" else []
        two = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        errors = [process.communicate(timeout=100)[1] for process in two]
        assert sorted(process.returncode for process in two) == [0, 2]
        said = {process.returncode: error.splitlines() for process, error in zip(two, errors, strict=True)}
        assert len(said[2]) == 1 and said[2][0].startswith(f"minunet {command}: error: ")
        assert len(said[0]) == (command == "predict")  # how it found its cells
