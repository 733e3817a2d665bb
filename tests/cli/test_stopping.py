"""A run that is stopped, or that the system stops: one line says where it stands, and the checkpoint is there."""

import errno
import os
import shutil
import signal
import subprocess
import sys

import pytest

from minunet.cli import train_and_save
from minunet.cli.main import main
from minunet.training.run_folder import resume_run

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and pipes")
SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "6"]


@pytest.fixture
def train(cells_folder, tmp_path, monkeypatch, no_pictures):
    """Return a function that trains for six steps, saving after each, and calls `action` after the third one."""
    monkeypatch.setattr(train_and_save, "SAVE_EVERY", -1)
    train_steps = train_and_save.train_steps

    def run(action, after=3):
        def steps(*args, **options):
            for row in train_steps(*args, **options):
                if row["step"] == after:
                    action()
                yield row

        monkeypatch.setattr(train_and_save, "train_steps", steps)
        return main(["train", "--data", f"folder:{cells_folder}", *SMALL, "--out", str(tmp_path / "run")])

    return run


@pytest.fixture(autouse=True)
def a_terminal_that_can_be_closed():
    """Let SIGHUP do what it does by default, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL) if hasattr(signal, "SIGHUP") else None
    yield
    if before is not None:
        signal.signal(signal.SIGHUP, before)


@needs_posix
@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("SIGINT", 130, marks=pytest.mark.slow),
        ("SIGTERM", 143),
        pytest.param("SIGHUP", 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_lets_the_step_end_and_saves_it(train, tmp_path, capsys, name, code):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    assert train(lambda: signal.raise_signal(number)) == code
    assert signal.getsignal(number) == before
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"stopped after step 3; step 3 is in the checkpoint in {tmp_path / 'run'}; continue with: ")
    assert len(resume_run(tmp_path / "run").history) == 3
    assert main(last.partition("continue with: minunet ")[2].split()) == 0
    assert len(resume_run(tmp_path / "run").history) == 6


def test_a_second_ctrl_c_stops_at_once_and_the_last_checkpoint_is_kept(train, tmp_path, capsys):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    assert train(twice) == 130
    assert "stopped at once; step 2 is in the checkpoint" in capsys.readouterr().out
    assert len(resume_run(tmp_path / "run").history) == 2


@needs_posix
@pytest.mark.slow
def test_a_second_kill_or_a_terminal_that_is_closed_as_well_does_not_stop_the_saving(train, tmp_path):
    def closed():
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)

    assert train(closed) == 129
    assert len(resume_run(tmp_path / "run").history) == 3


@needs_posix
@pytest.mark.slow
def test_under_nohup_a_run_outlives_its_terminal(train, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train(lambda: signal.raise_signal(signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(resume_run(tmp_path / "run").history) == 6


@needs_posix
def test_a_signal_before_the_first_step_leaves_nothing(train, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minunet.cli.train.start", lambda *args: signal.raise_signal(signal.SIGTERM))
    assert train(lambda: None) == 143
    assert capsys.readouterr().err == "interrupted\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_ctrl_c_after_the_last_step_keeps_the_run_which_can_then_be_evaluated(train, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        place = "minunet.cli.measure_and_save.predict_samples"
        patched.setattr(place, lambda *args, **options: signal.raise_signal(signal.SIGINT))
        assert train(lambda: None) == 130
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("stopped at once; step 6 is in the checkpoint")
    assert main(last.partition("continue with: minunet ")[2].split()) == 0
    assert (tmp_path / "run" / "metrics.json").exists()


@needs_posix
def test_a_run_goes_on_when_nobody_reads_what_it_prints(train, tmp_path, monkeypatch, capsys):
    """As in `minunet train | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as nobody_reads:
        monkeypatch.setattr(sys, "stdout", nobody_reads)
        assert train(lambda: None) == 0
    said = capsys.readouterr().err
    assert said == "minunet: the output goes nowhere any more (Broken pipe), the work goes on\n"
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["stdout", "stderr"])
def test_a_run_needs_neither_stdout_nor_stderr(train, tmp_path, monkeypatch, missing):
    """As in `minunet train >&-`, or under pythonw."""
    monkeypatch.setattr(sys, missing, None)
    assert train(lambda: None) == 0
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("fsync", errno.ENOSPC),
        pytest.param("fsync", errno.EROFS, marks=pytest.mark.slow),
        pytest.param("replace", errno.ENOSPC, marks=pytest.mark.slow),
        pytest.param("replace", errno.EACCES, marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_takes_no_more_ends_the_run_in_one_line(train, tmp_path, monkeypatch, capsys, number, operation):
    def refuse(*args, **options):
        raise OSError(number, os.strerror(number))

    assert train(lambda: monkeypatch.setattr(os, operation, refuse)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"minunet train: error: could not write {tmp_path / 'run' / 'checkpoint.npz'}: {os.strerror(number)}; what was "
        f"there before is kept; step 2 is in the checkpoint in {tmp_path / 'run'}; continue with: minunet train "
        f"--resume --out {tmp_path / 'run'}"
    )
    monkeypatch.undo()
    assert len(resume_run(tmp_path / "run").history) == 2
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


def test_a_folder_that_was_removed_ends_the_run_in_one_line(train, tmp_path, capsys):
    assert train(lambda: shutil.rmtree(tmp_path / "run")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"the folder {tmp_path / 'run'} is gone: somebody has moved or removed it; there is no checkpoint in" in line
    assert not (tmp_path / "run").exists()


@needs_posix
@pytest.mark.slow
def test_the_help_of_a_command_may_be_cut_off():
    command = f"{sys.executable} -m minunet gradcheck | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.startswith("conv2d: ")
    assert done.stderr == ""
