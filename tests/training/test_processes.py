"""The passes of a batch on several processes: the same bits, and no harm when a process is lost."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import minunet
from minunet import flatten
from minunet.cli.main import main
from minunet.data import load_data
from minunet.training import processes
from minunet.training.config import Config
from minunet.training.gradient import gradient_of, on_threads
from minunet.training.processes import Processes, exchange_as_first
from minunet.training.train import start, train_steps

SMALL = {"base_channels": 4, "depth": 1, "tile": 36, "seed": 1}
PAIRS = Config(**SMALL, batch=4, steps=3)


@pytest.fixture
def dataset(cells_folder):
    return load_data(f"folder:{cells_folder}")._replace(validation=[])


@pytest.fixture
def two_cores(monkeypatch):
    """Two passes at once, wherever the tests run."""
    monkeypatch.setattr(processes, "passes_at_once", lambda params, passes: 2)


def trained(config, dataset, share, after_a_step=lambda: None):
    run = start(config, dataset)
    for _ in train_steps(run, dataset, share=share):
        after_a_step()
    return run


def assert_same(run, other):
    assert [row["loss"] for row in run.history] == [row["loss"] for row in other.history]
    for tree in ("params", "running"):
        for name, x in flatten(getattr(run, tree)).items():
            np.testing.assert_array_equal(flatten(getattr(other, tree))[name], x, err_msg=name)


@pytest.mark.parametrize(
    "config",
    [
        PAIRS,
        PAIRS._replace(batch=2),
        PAIRS._replace(batch=2, base_channels=32, tile=60, steps=2),  # all ways of a convolution
        Config(**SMALL, batch=3, steps=3, norm="none", dropout_rate=0.3, optimiser="sgd"),
    ],
    ids=["two pairs", "a pair", "a pair in a wider network", "three tiles with dropout"],
)
def test_two_processes_train_as_one(dataset, two_cores, config):
    with Processes(patience=0) as share:
        run = trained(config, dataset, share)
        (helper,) = share.helpers
        assert helper.process.poll() is None
    assert helper.process.poll() is not None  # it ends with the block
    assert_same(run, trained(config, dataset, on_threads))


@pytest.mark.slow
def test_this_process_does_its_share_alone(dataset, two_cores, monkeypatch):
    done = []
    monkeypatch.setattr(processes, "gradient_of", lambda *args: done.append(args[3]) or gradient_of(*args))
    with Processes(patience=0) as share:
        trained(Config(**SMALL, batch=6, steps=1), dataset, share)
    assert done == [0, 4]  # the first and the third pair


def test_a_process_that_is_lost_is_done_without(dataset, two_cores):
    def lose():
        if share.helpers:
            share.helpers[0].process.kill()

    with Processes(patience=0) as share, pytest.warns(UserWarning, match="a process that computed tiles has ended"):
        run = trained(PAIRS, dataset, share, after_a_step=lose)
        assert not share.helpers and not share.can_start
    assert_same(run, trained(PAIRS, dataset, on_threads))


@pytest.mark.slow
def test_a_process_that_is_lost_within_a_step_is_done_without(dataset, two_cores, monkeypatch):
    calls = []

    def tell_and_lose(other, own):
        calls.append(own)
        if len(calls) == 3:
            other.process.kill()
            other.process.wait()
        return exchange_as_first(other, own)

    monkeypatch.setattr(processes, "exchange_as_first", tell_and_lose)
    config = PAIRS._replace(batch=2)
    with Processes(patience=0) as share, pytest.warns(UserWarning, match="has ended"):
        run = trained(config, dataset, share)
    assert len(calls) == 3
    assert_same(run, trained(config, dataset, on_threads))


@pytest.mark.parametrize("change", [{"dropout_rate": 0.5}, {"norm": "none", "batch": 1}, {"batch": 1}])
def test_what_two_processes_cannot_share_starts_none(dataset, two_cores, change):
    with Processes(patience=0) as share:
        trained(PAIRS._replace(**{"batch": 2, "steps": 1, **change}), dataset, share)
        assert not share.helpers


def test_a_pair_is_not_shared_by_the_readable_way_or_with_three_classes(dataset, two_cores, monkeypatch):
    three = dataset._replace(num_classes=3)
    with Processes(patience=0) as share:
        trained(PAIRS._replace(batch=2, steps=1), three, share)
        monkeypatch.setenv("MINUNET_CONVOLUTION", "readable")
        trained(PAIRS._replace(batch=2, steps=1), dataset, share)
        assert not share.helpers


def test_a_process_that_cannot_start_is_done_without(dataset, two_cores, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with Processes(patience=0) as share, pytest.warns(UserWarning, match="the run goes on without"):
        run = trained(PAIRS, dataset, share)
    assert_same(run, trained(PAIRS, dataset, on_threads))


@pytest.mark.slow
def test_what_other_modules_print_in_a_process_is_no_message(dataset, two_cores, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('Loading'); print('coverage on', end='')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Processes(patience=0) as share:
        run = trained(PAIRS, dataset, share)
        assert len(share.helpers) == 1
    assert_same(run, trained(PAIRS, dataset, on_threads))


@pytest.mark.slow
def test_the_last_words_of_a_process_are_told(dataset, two_cores, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os, sys; sys.stderr.write('no licence\\n'); os._exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Processes(patience=0) as share, pytest.warns(UserWarning, match=r"has ended \(no licence\)"):
        trained(PAIRS._replace(steps=1), dataset, share)


@pytest.mark.slow
def test_a_process_that_is_not_ready_yet_is_not_waited_for(dataset, two_cores, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Processes(patience=1e-9) as share:
        run = trained(PAIRS, dataset, share)
        assert share.helpers[0].waiting.is_alive()
    assert_same(run, trained(PAIRS, dataset, on_threads))


def test_a_network_whose_rounding_depends_on_the_cores_is_not_shared(dataset, two_cores, monkeypatch):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    with Processes(patience=0) as share:
        trained(PAIRS._replace(steps=1), dataset, share)
        assert not share.helpers


def test_a_short_run_starts_none(dataset, two_cores):
    with Processes() as share:
        trained(PAIRS, dataset, share)
        assert not share.helpers


def test_after_an_error_no_answer_is_taken_for_that_to_another_question(dataset, two_cores, monkeypatch):
    with Processes(patience=0) as share:
        trained(PAIRS._replace(steps=1), dataset, share)
        (helper,) = share.helpers
        monkeypatch.setattr(processes, "gradient_of", out_of_memory)
        with pytest.raises(MemoryError):
            trained(PAIRS, dataset, share)
        assert helper.process.poll() is not None and not share.helpers
        monkeypatch.undo()
        assert_same(trained(PAIRS, dataset, share), trained(PAIRS, dataset, on_threads))
        assert not share.helpers


def out_of_memory(*args):
    raise MemoryError


@pytest.mark.slow
def test_train_on_arrays_takes_processes(two_cores, monkeypatch, rng):
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    started = []
    begin = processes.start
    monkeypatch.setattr(processes, "start", lambda *args: started.append(1) or begin(*args))
    image = rng.random((60, 50))
    networks = [train_on_arrays(image, processes=several) for several in (False, True)]
    assert started == [1]
    for name, x in flatten(networks[0].params).items():
        np.testing.assert_array_equal(flatten(networks[1].params)[name], x, err_msg=name)


def train_on_arrays(image, **options):
    return minunet.train([image], [image > 0.5], steps=2, batch=4, progress=False, **SMALL, **options)


@pytest.mark.usefixtures("two_cores", "no_pictures")
def test_the_command_takes_processes(monkeypatch, cells_folder, tmp_path):
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    helpers = []
    begin = processes.start
    monkeypatch.setattr(processes, "start", lambda *args: helpers.append(begin(*args)) or helpers[0])
    options = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--batch", "4", "--steps", "2"]
    assert main(["train", "--data", f"folder:{cells_folder}", *options, "--out", str(tmp_path / "run")]) == 0
    (helper,) = helpers
    assert helper.process.poll() is not None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_no_process_outlives_a_killed_run():
    script = textwrap.dedent("""
        import time
        from minunet.training import helper, processes
        print(helper.start(processes.serve, 1).process.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        helper = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while time.monotonic() < until and is_alive(helper):
        time.sleep(0.05)
    assert not is_alive(helper)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    """Return whether it has ended and only nobody has asked for its exit status: where it runs, init may never do."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
