"""A run on disk: config.json, checkpoint.npz, log.csv, metrics.json, weights.npz and pictures."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from minunet.backend import allow_tf32_if_asked, to_device
from minunet.data import Sample, loss_weights
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.metrics.evaluation import evaluate
from minunet.network.trained.checkpoint import load_checkpoint, save_checkpoint
from minunet.pictures.contact_sheet import plot_contact_sheet
from minunet.pictures.curves import plot_curves
from minunet.pictures.predictions import plot_predictions
from minunet.pictures.weights import plot_weights
from minunet.training.config import Config, resolve
from minunet.training.train import Run

COLUMNS = ("step", "seconds", "wait", "learning_rate", "loss", "validation_error", "majority_error")


def new_folder(out: str | None, stem: str) -> Path:
    """Return the folder to write to: `out`, which must be new or empty, or the next free `stem`-1, `stem`-2, ...

    Raises
    ------
    InputError
        If `out` holds something already, or is a file.
    """
    if out is None:
        number = 1
        while Path(f"{stem}-{number}").exists():
            number += 1
        return Path(f"{stem}-{number}")
    folder = Path(out)
    if folder.is_file():
        raise InputError(f"--out must be a folder, got the file {folder}; choose another --out")
    if folder.is_dir() and any(folder.iterdir()):
        remedy = " or continue it with --resume" if (folder / "checkpoint.npz").exists() else ""
        raise InputError(
            f"--out must be a new or empty folder, got {folder}, which holds files; choose another --out{remedy}"
        )
    return folder


def save_run(run: Run, folder: Path) -> None:
    """Write config, checkpoint, log and curves; each file is replaced whole, so a crash leaves the old one."""
    folder.mkdir(parents=True, exist_ok=True)
    config = run.config._asdict()
    save_checkpoint(folder / "checkpoint.npz", run.network, config, run.optimiser_state, run.history)
    write_json(folder / "config.json", config)
    replace_atomically(folder / "log.csv", lambda path: _write_log(run.history, path))
    if run.history:
        plot_curves(run.history, folder / "curves.png")


def resume_run(folder: Path, **changes) -> Run:
    """Return the run stored in a folder.

    `changes` to the configuration must not make it another run: steps, minutes, device.
    """
    stored = load_checkpoint(folder / "checkpoint.npz")
    if stored.optimiser_state is None or stored.history is None:
        raise InputError(
            f"expected a run to resume, got {folder / 'checkpoint.npz'} with a network only; start a new run"
        )
    config = resolve(changes, stored=stored.config)
    done = len(stored.history)
    if config.steps is not None and config.steps < done:
        raise InputError(f"steps must be at least the {done} that are done, got {config.steps}; leave --steps out")
    params, optimiser_state = to_device([stored.network.params, stored.optimiser_state], config.device)
    allow_tf32_if_asked(params["head"]["bias"])
    return Run(config, params, optimiser_state, stored.network.normalisation, stored.history)


def weights_of_run(config: Config, samples: list[Sample], folder: Path) -> list[np.ndarray | None]:
    """Return the loss weights of each sample; write them to weights.npz, and draw the first map as weights.png."""
    weights = loss_weights(samples, config.weights, cache=folder / "weights.npz")
    drawn = [(sample, plane) for sample, plane in zip(samples, weights, strict=True) if plane is not None]
    if drawn and not (folder / "weights.png").exists():
        plot_weights(*drawn[0], folder / "weights.png")
    return weights


def write_evaluation(samples, probabilities, folder: Path) -> dict:
    """Write metrics.json, predictions.png and contact_sheet.png; return the evaluation, as from `evaluate`."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation = evaluate(samples, probabilities, progress=True)
    write_json(folder / "metrics.json", _without_nan(evaluation))
    plot_predictions(samples, probabilities, folder / "predictions.png")
    errors = [row["pixel_error"] for row in evaluation["images"]]
    plot_contact_sheet(samples, probabilities, errors, folder / "contact_sheet.png")
    return evaluation


def write_json(path: Path, content: dict) -> None:
    """Write a dict as JSON, whole or not at all."""
    replace_atomically(path, lambda temporary: Path(temporary).write_text(json.dumps(content, indent=2) + "\n"))


def _without_nan(content):
    """Return nested dicts and lists with None in place of NaN, which JSON does not have."""
    if isinstance(content, dict):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def _write_log(history: list[dict], path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)
