"""A run on disk: config.json, checkpoint.npz, log.csv, metrics.json, weights.npz and pictures."""

import contextlib
import csv
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from minunet.backend import to_device
from minunet.data import Sample, loss_weights
from minunet.errors import InputError
from minunet.files import looks_empty, remove_unfinished, replace_atomically
from minunet.gpu import allow_tf32_if_asked
from minunet.metrics.evaluation import evaluate
from minunet.metrics.touching import SPLIT
from minunet.network.trained.checkpoint import load_checkpoint, save_checkpoint
from minunet.pictures.classes import class_names
from minunet.pictures.contact_sheet import plot_contact_sheet
from minunet.pictures.curves import plot_curves
from minunet.pictures.predictions import plot_predictions
from minunet.pictures.weights import plot_weights
from minunet.training.config import Config, resolve
from minunet.training.folder_lock import LOCK, locked
from minunet.training.health import check_network
from minunet.training.stored_run import COLUMNS, check_stored_run
from minunet.training.train import Run
from minunet.training.validation import what_is_validated


def check_out(out: str | None) -> None:
    """Raise InputError if --out is given and is a file, or holds more than hidden files. Nothing is made yet."""
    if out is None:
        return
    folder = Path(out)
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            raise InputError(f"--out must be a folder, got the file {part}; choose another --out")
    if (folder / LOCK).exists():
        with locked(folder):  # which says who holds it, if anybody does
            pass
    if folder.is_dir():
        _check_is_empty(folder)


def _check_is_empty(folder: Path) -> None:
    if not looks_empty(folder):
        remedy = " or continue it with --resume" if (folder / "checkpoint.npz").exists() else ""
        raise InputError(
            f"--out must be a new or empty folder, got {folder}, which holds files; choose another --out{remedy}"
        )


@contextlib.contextmanager
def new_folder(out: str | None, stem: str) -> Iterator[Path]:
    """Make the folder to write to, and hold it until the block ends; if it is still empty then, remove it again.

    It is `out`, which must be new or empty, or the next free `stem`-1, `stem`-2, ... If several processes ask at the
    same time, each gets another number, and one of them gets `out`.

    Raises
    ------
    InputError
        If `out` holds something already, or is a file, or another process writes to it.
    """
    check_out(out)
    folder = _make_numbered(stem) if out is None else Path(out)
    with made_and_held(folder):
        _check_is_empty(folder)  # once more: another process may have written to it since
        yield folder


@contextlib.contextmanager
def made_and_held(folder: Path) -> Iterator[None]:
    """Make a folder, if it is not there, and hold it until the block ends; if it is empty then, remove it.

    What a killed process has left in it is removed, too.

    Raises
    ------
    InputError
        If another process writes to it; the message names the process.
    OSError
        If it cannot be made.
    """
    with _saying_what_to_do(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(_remove_if_empty, folder)
        at_the_end.enter_context(locked(folder))
        remove_unfinished(folder)
        yield


@contextlib.contextmanager
def _saying_what_to_do(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"could not make the folder {folder}: {error.strerror}; choose another folder") from error


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _make_numbered(stem: str) -> Path:
    """Make the first of the folders `stem`-1, `stem`-2, ... that is not there yet, and return it."""
    with _saying_what_to_do(Path(stem).parent):
        Path(stem).parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = Path(f"{stem}-{number}")
        with _saying_what_to_do(folder), contextlib.suppress(FileExistsError):
            folder.mkdir()  # of several processes, only one can make it
            return folder
    raise AssertionError("the numbers never end")


def save_run(run: Run, folder: Path, held_out: Sequence[Sample] = ()) -> None:
    """Write config, checkpoint, log and curves; each file is replaced whole, so a crash leaves the old one.

    The label of the curves says which part of the held-out images the validation errors are of.

    The checkpoint holds the log, too: a run goes on from there, whatever else was written.

    Raises
    ------
    InputError
        If the network's numbers have exploded; nothing is written then.
    OSError
        If the folder is gone, or a file cannot be written.
    """
    if not folder.is_dir():
        raise OSError(f"the folder {folder} is gone: somebody has moved or removed it")
    check_network(run)
    config = run.config._asdict()
    network = run.network._replace(params=run.params)  # as it trains, not as it predicts
    shift = run.shift if run.shift.any() else None
    save_checkpoint(folder / "checkpoint.npz", network, config, run.optimiser_state, run.history, run.running, shift)
    write_json(folder / "config.json", config)
    replace_atomically(folder / "log.csv", lambda path: _write_log(run.history, path))
    if run.history:
        validated = what_is_validated(run.config, run.history, list(held_out))
        plot_curves(run.history, folder / "curves.png", validated)


def resume_run(folder: Path, **changes) -> Run:
    """Return the run stored in a folder.

    `changes` to the configuration must not make it another run: steps, minutes, device.
    """
    stored = load_checkpoint(folder / "checkpoint.npz")
    if stored.optimiser_state is None or stored.history is None:
        raise InputError(
            f"expected a run to resume, got {folder / 'checkpoint.npz'} with a network only; start a new run"
        )
    config = resolve(changes, stored=check_stored_run(stored, folder / "checkpoint.npz")._asdict())
    done = len(stored.history)
    if config.steps is not None and config.steps < done:
        raise InputError(f"steps must be at least the {done} that are done, got {config.steps}; leave --steps out")
    params, state, running = to_device([stored.params, stored.optimiser_state, stored.running], config.device)
    allow_tf32_if_asked(params["head"]["bias"])
    _, normalisation, statistics, *chosen = stored.network
    shift = np.zeros(len(params["head"]["bias"])) if stored.shift is None else stored.shift
    return Run(config, params, state, normalisation, stored.history, statistics, running, shift, *chosen)


def step_of_checkpoint(folder: Path) -> int | None:
    """Return after which step the checkpoint of a run was written; None if there is no whole one."""
    try:
        return len(load_checkpoint(folder / "checkpoint.npz").history or [])
    except (InputError, OSError):
        return None


def weights_of_run(config: Config, samples: list[Sample], folder: Path) -> list[np.ndarray | None]:
    """Return the loss weights of each sample; write them to weights.npz, and draw the first map as weights.png."""
    weights = loss_weights(samples, config.weights, cache=folder / "weights.npz")
    drawn = [(sample, plane) for sample, plane in zip(samples, weights, strict=True) if plane is not None]
    if drawn and not (folder / "weights.png").exists():
        plot_weights(*drawn[0], folder / "weights.png")
    return weights


def write_evaluation(
    samples,
    probabilities,
    folder: Path,
    threshold: float = 0.5,
    split: float = SPLIT,
    binary: bool = False,
    values: str | None = None,
) -> dict:
    """Write metrics.json, predictions.png and contact_sheet.png; return the evaluation, as from `evaluate`.

    `values` are those of the masks that are class 0, 1, ..., as in `Dataset.classes`.
    """
    evaluation = evaluate(samples, probabilities, True, threshold, split, binary)
    write_json(folder / "metrics.json", _without_nan(evaluation))
    names = class_names(len(evaluation["classes"]), values) if "classes" in evaluation else None
    plot_predictions(samples, probabilities, folder / "predictions.png", threshold=threshold, names=names)
    errors = [row["pixel_error"] for row in evaluation["images"]]
    plot_contact_sheet(samples, probabilities, errors, folder / "contact_sheet.png", threshold=threshold, names=names)
    return evaluation


def write_json(path: Path, content: dict) -> None:
    """Write a dict as JSON, whole or not at all."""
    replace_atomically(
        path, lambda temporary: Path(temporary).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    )


def _without_nan(content):
    """Return nested dicts and lists with None in place of NaN, which JSON does not have."""
    if isinstance(content, dict):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def _write_log(history: list[dict], path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)
