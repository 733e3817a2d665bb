"""Training under mpirun: equal to one process, refused where the ranks differ, and one voice for all."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minunet.cli.main import main
from minunet.fast.cpu import limits, parallel
from minunet.scale import ranks
from minunet.scale.ranks import join_ranks
from minunet.training.batch import ALONE

needs_mpi = pytest.mark.skipif(
    shutil.which("mpirun") is None or importlib.util.find_spec("mpi4py") is None,
    reason="needs Open MPI (mpirun) and mpi4py: python -m pip install -e '.[mpi]'",
)
SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--weights", "none"]
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1"}
ENVIRONMENT |= {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
MINUNET = [sys.executable, "-m", "minunet"]


def run(command, **options):
    command = [str(word) for word in command]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, **options)


def mpirun(count, command, other=None):
    """Start `count` processes and, if there is another command, one of it."""
    other = [] if other is None else [":", "-n", 1, *other]
    return run(["mpirun", "--oversubscribe", "-n", count, *command, *other])


def errors(result):
    return [line for line in result.stderr.splitlines() if "error:" in line]


FOUR, EIGHT = {0, 1, 2, 3}, set(range(8))


@pytest.mark.parametrize(
    ("bound", "by_time", "of_blas", "expected"),
    [
        ([EIGHT, EIGHT], sys.maxsize, 8, [4, 4]),  # not bound at all
        ([EIGHT] * 3, sys.maxsize, 8, [2, 2, 2]),
        ([{0}, {1}], sys.maxsize, 8, [1, 1]),
        ([{0, 1, 2}, {3}], sys.maxsize, 8, [3, 1]),
        ([FOUR, FOUR, EIGHT - FOUR], sys.maxsize, 8, [2, 2, 4]),  # by socket
        ([FOUR, FOUR], sys.maxsize, 8, [2, 2]),  # the container has four of the machine's cores, say
        ([EIGHT, EIGHT], 3, 8, [1, 1]),  # the container has three cores' worth of time
        ([FOUR, EIGHT - FOUR], 2, 8, [1, 1]),
        ([EIGHT] * 9, 2, 8, [1] * 9),
        ([EIGHT, EIGHT], sys.maxsize, 1, [1, 1]),  # OPENBLAS_NUM_THREADS=1
    ],
)
def test_ranks_of_a_machine_share_its_cores_and_its_time(monkeypatch, bound, by_time, of_blas, expected):
    monkeypatch.setattr(limits, "cores_by_time", lambda: by_time)
    monkeypatch.setattr(parallel, "threads", lambda: of_blas)
    found = []
    for cores in bound:
        monkeypatch.setattr(limits, "bound_to", lambda cores=cores: cores)
        found.append(ranks._own_cores(SimpleNamespace(size=len(bound), allgather=lambda mine: bound)))
    assert found == expected


@needs_mpi
@pytest.mark.parametrize(
    ("count", "norm"),
    [
        (2, "batch"),
        pytest.param(2, "none", marks=pytest.mark.slow),
        pytest.param(3, "none", marks=pytest.mark.slow),
        pytest.param(4, "batch", marks=pytest.mark.slow),
    ],
)
def test_ranks_equal_one_process_bit_for_bit_in_float64(tmp_path, cells_folder, count, norm):
    batch = 2 * count  # of pairs, with batch normalisation
    script = [sys.executable, Path(__file__).with_name("train_in_float64.py"), f"folder:{cells_folder}", batch, norm]
    assert run([*script, tmp_path / "alone.npz"]).returncode == 0
    together = mpirun(count, [*script, tmp_path / "together.npz"])
    assert together.returncode == 0, together.stderr
    with np.load(tmp_path / "alone.npz") as alone, np.load(tmp_path / "together.npz") as together:
        assert len(set(alone["losses"])) == 5
        for name in alone.files:
            np.testing.assert_array_equal(together[name], alone[name], strict=True)


@needs_mpi
@pytest.mark.slow
def test_the_command_and_going_on_with_another_number_of_ranks(tmp_path, cells_folder):
    train = [*MINUNET, "train", "--data", f"folder:{cells_folder}", *SMALL, "--batch", 8]
    assert run([*train, "--steps", 9, "--out", tmp_path / "whole"]).returncode == 0
    first = mpirun(4, [*train, "--steps", 9, "--out", tmp_path / "parts"])
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("images to train on") == 1  # rank 0 alone speaks
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == names
    assert run([*MINUNET, "train", "--resume", "--steps", 14, "--out", tmp_path / "whole"]).returncode == 0
    second = mpirun(2, [*MINUNET, "train", "--resume", "--steps", 14, "--out", tmp_path / "parts"])
    assert second.returncode == 0, second.stderr
    wrong = mpirun(3, [*MINUNET, "train", "--resume", "--steps", 20, "--out", tmp_path / "parts"])
    assert (
        wrong.returncode == 2
        and len(errors(wrong)) == 1
        and "8, 4 pairs of tiles, must be shared equally" in wrong.stderr
    )
    arrays = [np.load(tmp_path / folder / "checkpoint.npz") for folder in ("whole", "parts")]
    for name in arrays[0].files:
        if name != "about":
            np.testing.assert_array_equal(*(array[name] for array in arrays))
    config = json.loads((tmp_path / "parts" / "config.json").read_text())
    assert config["batch"] == 8 and config["steps"] == 14


@needs_mpi
@pytest.mark.slow
def test_ranks_that_differ_are_refused_before_anything_is_written(tmp_path, cells_folder):
    train = ["train", "--data", f"folder:{cells_folder}", *SMALL, "--steps", 3, "--out", tmp_path / "run"]
    version = "import minunet.scale.ranks as r, minunet.cli.main as m, sys; r.version = str; sys.exit(m.main())"
    broken = (
        "import minunet.cli.train as t, minunet.cli.main as m, sys; t.load_data = lambda *a, **k: 1 / 0; "
        "sys.exit(m.main())"
    )
    for other, words in {
        (*MINUNET, *train, "--seed", 1): "the same --seed, got None on rank 0, 1 on rank 1",
        (*MINUNET, *train, "--base-channels", 4): "the same --base-channels",
        (sys.executable, "-c", version, *train): "the same version of minunet",
        (*MINUNET, *train, "--depth", 0): "depth must be a whole number of at least 1",  # of one rank only
    }.items():
        result = mpirun(1, [*MINUNET, *train], other)
        assert result.returncode == 2 and len(errors(result)) == 1 and words in errors(result)[0], result.stderr
        assert not (tmp_path / "run").exists()
    result = mpirun(1, [*MINUNET, *train], (sys.executable, "-c", broken, *train))
    assert result.returncode != 0 and "ZeroDivisionError" in result.stderr
    clock = mpirun(2, [*MINUNET, *train[:-4], "--minutes", 1, "--out", tmp_path / "clock"])
    assert len(errors(clock)) == 1 and "needs --steps" in clock.stderr and not (tmp_path / "clock").exists()


@needs_mpi
@pytest.mark.slow
def test_an_error_of_rank_0_alone_ends_all_ranks(tmp_path, cells_folder):
    """Else the others would wait for its gradient without end."""
    broken = (
        "import minunet.training.run_folder as f, minunet.cli.main as m, minunet.errors as e, sys\n"
        "def refuse(run): raise e.InputError('it must fit, got a misfit; try another')\n"
        "f.check_network = refuse\n"
        "sys.exit(m.main())"
    )
    train = ["train", "--data", f"folder:{cells_folder}", *SMALL, "--steps", 9, "--out", tmp_path / "run"]
    result = mpirun(2, [sys.executable, "-c", broken, *train])
    assert result.returncode == 2, result.stderr
    assert errors(result) == ["minunet train: error: it must fit, got a misfit; try another"]


@needs_mpi
@pytest.mark.slow
def test_a_signal_to_all_ranks_stops_after_the_step(tmp_path, cells_folder):
    train = ["train", "--data", f"folder:{cells_folder}", *SMALL, "--steps", 10**6, "--out", tmp_path / "run"]
    patience = ["--mca", "odls_base_sigkill_timeout", 8]  # seconds, in place of one, before mpirun kills them
    command = ["mpirun", "--oversubscribe", *patience, "-n", 2, *MINUNET, *train]
    with open(tmp_path / "printed", "w") as printed:
        running = subprocess.Popen([str(word) for word in command], env=ENVIRONMENT, stdout=printed, stderr=printed)
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(3)  # for some steps
        running.send_signal(signal.SIGTERM)  # which mpirun passes on
        assert running.wait(90) != 0
    printed = (tmp_path / "printed").read_text()
    assert "stopped after step" in printed and "Traceback" not in printed


def alone(monkeypatch, **environment):
    """Set the environment of a process that nobody has started beside others, and these variables."""
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_without_mpirun_a_process_is_alone(monkeypatch):
    alone(monkeypatch)
    assert join_ranks() is ALONE
    alone(monkeypatch, SLURM_STEP_NUM_TASKS="4")  # four runs, started by srun without MPI
    assert join_ranks() is ALONE
    alone(monkeypatch, OMPI_COMM_WORLD_SIZE="1", PMIX_RANK="0", SLURM_STEP_NUM_TASKS="4")  # mpirun on four hosts
    assert join_ranks() is ALONE


@pytest.mark.parametrize(
    "environment",
    [{"OMPI_COMM_WORLD_SIZE": "3"}, {"PMI_SIZE": "3"}, {"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "3"}],
    ids=["Open MPI", "MPICH", "srun"],
)
def test_mpirun_without_mpi4py_is_refused(tmp_path, monkeypatch, capsys, environment):
    alone(monkeypatch, **environment)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", "--steps", "1", "--out", str(tmp_path / "run")]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "the 3 processes of mpirun would write over each other's run" in line
    assert "minunet[mpi]" in line and not (tmp_path / "run").exists()


def test_mpi4py_of_another_mpi_is_refused(monkeypatch, capsys):
    class Comm:
        rank, size = 0, 1

    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", type(sys)("mpi4py"))
    stand_in = type(sys)("mpi4py.MPI")
    stand_in.COMM_WORLD = Comm
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", stand_in)
    assert main(["train", "--steps", "1"]) == 2
    assert "mpirun has started 2 processes, of which mpi4py finds 1" in capsys.readouterr().err
