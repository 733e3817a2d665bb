"""Kill runs of `minunet train` at random moments, resume them, and look at what is there: nothing lost, nothing half.

    python benchmarks/kill_runs.py 200

A run saves after each of its STEPS steps. It is killed in one of three ways, taken in turn:

    moment      SIGKILL from outside, after a random time
    operation   SIGKILL from inside, before or after a random call of os.open, os.fsync, os.replace or os.unlink
    write       by the system, in the middle of writing the file that comes to a random number of bytes (SIGXFSZ)

After each kill every file must be whole, and the checkpoint must hold every step after which it was ever saved. Then
the run is resumed, and killed again, until it ends. It must end as a run that nobody killed: the same parameters,
optimiser's state and measures bit for bit, the same log with each step once, and no other files.

The pictures are stand-ins, of the usual size: what is tested is how files are written, and to draw takes far longer.
"""

import argparse
import csv
import json
import os
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.ndimage  # noqa: F401 - loaded here once, for all processes that are forked
from matplotlib.figure import Figure
from PIL import Image

from minunet.cli import train_and_save
from minunet.cli.main import main
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.training import run_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cells_on_disk import write_cells

STEPS = 6
SETTINGS = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--weights", "map", "--dropout-rate", "0.2"]
PICTURE = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)  # 30 kB as PNG
WAYS = "moment", "operation", "write"
OPERATIONS = "open", "fsync", "replace", "unlink"
CLOCKED = "seconds", "wait"  # what two equal runs differ in


def kill_runs(kills: int, seed: int, place: Path) -> Counter:
    """Kill runs so many times in all; return how often each way, and how many runs came to their end."""
    rng, counts = np.random.default_rng(seed), Counter()
    data = f"folder:{write_cells(place / 'cells')}"
    whole, journal = place / "whole", place / "journal"
    new = ["train", "--data", data, *SETTINGS, "--steps", str(STEPS), "--out"]
    began = time.monotonic()
    assert _wait_for(_fork([*new, str(whole)], place)) == 0
    seconds = time.monotonic() - began
    while sum(counts[way] for way in WAYS) < kills:
        folder = place / f"run-{counts['runs']}"
        journal.write_text("")
        is_over = False
        while not is_over:
            arguments = (
                ["train", "--resume", str(folder)] if (folder / "checkpoint.npz").exists() else [*new, str(folder)]
            )
            way = WAYS[sum(counts[way] for way in WAYS) % len(WAYS)]
            child = _fork(arguments, place, way, rng)
            if way == "moment":
                time.sleep(rng.uniform(0, seconds))
                os.kill(child, signal.SIGKILL)
            code = _wait_for(child)
            assert code in (0, -signal.SIGKILL, -signal.SIGXFSZ), (code, (place / "output").read_text())
            is_over = code == 0
            counts[way] += not is_over
            _check_files(folder, saved=[int(line) for line in journal.read_text().split()])
        _check_equal(folder, whole)
        counts["runs"] += 1
    return counts


def _fork(arguments: list[str], place: Path, way: str = "", rng: np.random.Generator | None = None) -> int:
    """Start a process that runs a command of minunet and kills itself in this way; return its id."""
    number = 0 if rng is None else int(rng.integers(1, 400))
    size = 0 if rng is None else int(rng.integers(1, 40_000))
    if child := os.fork():
        return child
    output = os.open(place / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    train_and_save.SAVE_EVERY = -1
    Figure.savefig = lambda figure, path, **options: Image.fromarray(PICTURE).save(path)
    _keep_a_journal(place / "journal")
    if way == "operation":
        _kill_at_operation(number)
    elif way == "write":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    os._exit(main(arguments))


def _keep_a_journal(path: Path) -> None:
    """Let `save_run` note each step whose checkpoint it has written."""
    save_run = run_folder.save_run

    def save_and_note(run, folder, *held_out):
        save_run(run, folder, *held_out)
        with open(path, "a") as file:
            file.write(f"{len(run.history)}\n")

    run_folder.save_run = save_and_note


def _kill_at_operation(number: int) -> None:
    """Kill this process before the call of this number among those that change files, or after it."""
    calls = 0

    def counted(operation):
        def call(*args, **options):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            result = operation(*args, **options)
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))


def _wait_for(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _check_files(folder: Path, saved: list[int]) -> None:
    """Fail unless every file that `ls` shows is whole, and the checkpoint holds the last step that was saved."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name.startswith("."):
            continue
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
        elif path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        else:
            assert path.read_text().endswith("\n")
            assert [int(row["step"]) for row in _log(path)] == list(range(1, 1 + len(_log(path))))
    if saved:
        assert len(load_checkpoint(folder / "checkpoint.npz").history) >= max(saved)


def _check_equal(folder: Path, whole: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in whole.iterdir())
    with np.load(folder / "checkpoint.npz") as ours, np.load(whole / "checkpoint.npz") as theirs:
        assert ours.files == theirs.files
        for name in set(ours.files) - {"about"}:
            np.testing.assert_array_equal(ours[name], theirs[name], strict=True, err_msg=name)
    logs = [[_timeless(row) for row in _log(path / "log.csv")] for path in (folder, whole)]
    assert logs[0] == logs[1]
    histories = [load_checkpoint(path / "checkpoint.npz").history for path in (folder, whole)]
    assert [_timeless(row) for row in histories[0]] == [_timeless(row) for row in histories[1]]
    for name in ("metrics.json", "config.json", "predictions.png", "contact_sheet.png"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def _log(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _timeless(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in CLOCKED}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=200, help="how many; default 200")
    parser.add_argument("--seed", type=int, default=0, help="number from which the moments are drawn; default 0")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        counts = kill_runs(options.kills, options.seed, Path(place))
    ways = ", ".join(f"{counts[way]} by {way}" for way in WAYS)
    print(f"killed {sum(counts[way] for way in WAYS)} times: {ways}")
    print(f"{counts['runs']} runs came to their end, each as if nobody had killed it")
    print(f"{time.monotonic() - began:.0f} s")
