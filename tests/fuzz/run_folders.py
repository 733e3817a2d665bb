"""Mutants of a run's folder: its checkpoint, the settings and the history in it, and the weight maps beside it."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.mutate import as_json, mutated_bytes, mutated_tree
from fuzz.npz_writer import Member, mutated_members, npz_bytes
from fuzz.watch import MisreadError
from minunet import InputError, flatten, predict
from minunet.cli.main import main
from minunet.data import load_data, loss_weights
from minunet.network.trained.checkpoint import load_checkpoint, save_checkpoint
from minunet.training.config import MAY_BE_NONE, reading_of, resolve
from minunet.training.run_folder import resume_run
from minunet.training.stored_run import IN_EVERY_FILE, stored_config
from minunet.training.train import start, train_steps

STEPS = 3
SMALL = {"base_channels": 2, "depth": 1, "tile": 36, "weights": "map", "norm": "batch", "steps": STEPS}
BY_COMMAND = 0.03  # the share that goes through the command line, which takes longer


class RunFolder:
    """A finished run, its files as arrays and JSON, and a folder for mutants of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        cells = _write_cells(folder / "cells")
        config = resolve({"data": f"folder:{cells}", "labels": "instances", **SMALL})
        dataset = load_data(config.data, config.seed, **reading_of(config))
        run = start(config, dataset)
        for _ in train_steps(run, dataset._replace(validation=[])):
            pass
        path = folder / "whole.npz"
        network, of_run = (
            run.network._replace(params=run.params, threshold=0.35, split=0.3),
            (run.optimiser_state, run.history),
        )
        save_checkpoint(path, network, run.config._asdict(), *of_run, run.running, run.shift + 0.1)
        self.whole = path.read_bytes()
        with np.load(path) as archive:
            self.arrays = dict(archive)
        self.about = json.loads(str(self.arrays["about"]))
        self.samples = dataset.train
        self.expected_maps = loss_weights(self.samples, "map", folder / "maps.npz")
        self.maps = (folder / "maps.npz").read_bytes()
        self.image = np.random.default_rng(0).random((20, 24)).astype(np.float32)

    def checkpoint(self, rng):
        """Return a function that reads a mutant of the checkpoint's arrays or bytes, and judges what was read."""
        members = [Member(name, x) for name, x in self.arrays.items()]
        if rng.random() < 0.4:
            data, truth = mutated_bytes(rng, self.whole), self.arrays
        else:
            members = mutated_members(rng, members)
            data, truth = npz_bytes(members), {member.name: member.array for member in members}
            if not all(member.is_honest for member in members):
                truth = self.arrays
        if rng.random() < BY_COMMAND:
            return lambda: self._by_command(rng, data)
        return lambda: self._judge_checkpoint(self._write(data), truth)

    def configuration(self, rng):
        """Return the same for mutants of the settings."""
        about = {**self.about, "config": mutated_tree(rng, self.about["config"])}
        return self._with_about(rng, about if rng.random() < 0.8 else mutated_tree(rng, self.about))

    def log(self, rng):
        """Return the same for mutants of the history, and of the weight maps that a run keeps beside it."""
        if rng.random() < 0.3:
            data = mutated_bytes(rng, self.maps)
            if rng.random() < 0.5:
                with np.load(io.BytesIO(self.maps)) as archive:
                    data = npz_bytes(mutated_members(rng, [Member(name, archive[name]) for name in archive.files]))
            return lambda: self._judge_maps(data)
        return self._with_about(rng, {**self.about, "history": mutated_tree(rng, self.about["history"])})

    def _with_about(self, rng, about):
        text = as_json(rng, about)
        members = [Member(name, x) for name, x in self.arrays.items() if name != "about"]
        data = npz_bytes([Member("about", np.array(text)), *members])
        if rng.random() < BY_COMMAND:
            return lambda: self._by_command(rng, data)
        return lambda: self._judge_run(self._write(data), text)

    def _write(self, data: bytes) -> Path:
        """Write a mutant into a folder of a run; return its path."""
        folder = self.folder / "mutant"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "checkpoint.npz").write_bytes(data)
        return folder / "checkpoint.npz"

    def _judge_checkpoint(self, path: Path, truth: dict) -> None:
        stored = load_checkpoint(path)
        groups = {"params": stored.params, "optimiser_state": stored.optimiser_state or {}, "running": stored.running}
        for group, tree in groups.items():
            expected = {name: x for name, x in truth.items() if name.startswith(f"{group}/")}
            flat = {f"{group}/{name}": x for name, x in flatten(tree).items()} if tree else {}
            if flat.keys() != expected.keys() or not all(np.array_equal(x, expected[name]) for name, x in flat.items()):
                raise MisreadError(f"{group} are not those of the file")
        if stored.config != self.about["config"] or stored.history != self.about["history"]:
            raise MisreadError("settings or history are not those of the file")
        if stored.network.threshold != self.about["threshold"]:
            raise MisreadError("the threshold is not that of the file")
        if stored.network.split != self.about["split"]:
            raise MisreadError("the split is not that of the file")
        self._judge_prediction(stored.network)
        resume_run(path.parent)

    def _judge_prediction(self, network) -> None:
        probabilities = predict(network, self.image)
        if probabilities.shape[1:] != (20, 24) or not np.allclose(probabilities.sum(axis=0), 1, atol=1e-3):
            raise MisreadError("the probabilities do not add up to 1")

    def _judge_run(self, path: Path, text: str) -> None:
        """Read a run as `evaluate` and `train --resume` do: the settings and the history must be those of the file."""
        stored = load_checkpoint(path)
        about = json.loads(text)
        config = stored_config(stored, path)._asdict()
        expected = {**{name: value for name, value in config.items() if name not in IN_EVERY_FILE}, **about["config"]}
        if json.dumps(config, sort_keys=True) != json.dumps(expected, sort_keys=True):
            raise MisreadError("settings are not those of the file")
        run = resume_run(path.parent)
        resolved = run.config._asdict()
        changed = [name for name, value in config.items() if resolved[name] != value and name not in MAY_BE_NONE]
        if changed or json.dumps(run.history) != json.dumps(about["history"]):
            raise MisreadError(f"the run goes on with another {changed or 'history'}")
        if run.threshold != about.get("threshold", 0.5):
            raise MisreadError("the run goes on with another threshold")
        if run.split != about.get("split", 0.1):
            raise MisreadError("the run goes on with another split")

    def _judge_maps(self, data: bytes) -> None:
        path = self.folder / "weights.npz"
        path.write_bytes(data)
        for _ in range(2):  # what was damaged is written anew
            for found, expected in zip(loss_weights(self.samples, "map", path), self.expected_maps, strict=True):
                if found.shape != expected.shape or not (np.isfinite(found).all() and (found >= 0).all()):
                    raise MisreadError("a weight map is not one of these cells")

    def _by_command(self, rng, data: bytes) -> None:
        """Predict, evaluate or resume by the command line: exit 0 and its files, or one line and exit 2."""
        path, out, image = self._write(data), self.folder / "out", self.folder / "image.png"
        shutil.rmtree(out, ignore_errors=True)
        Image.fromarray((255 * self.image).astype(np.uint8)).save(image)
        command = [
            ["predict", path, image, "--out", out],
            ["evaluate", path, "--out", out],
            ["train", "--resume", path.parent, "--steps", STEPS + 1],
        ][rng.integers(3)]
        code, error = _call([str(word) for word in command])
        if " encountered in " in error:  # NumPy's warning
            raise MisreadError(f"{command[0]}: {error[-300:]!r}")
        if code == 0 and not (out.is_dir() or (path.parent / "metrics.json").exists()):
            raise MisreadError(f"{command[0]} wrote nothing")
        if code != 0:
            lines = [line for line in error.splitlines() if not line.startswith(f"minunet {command[0]}: warning: ")]
            one = len(lines) == 1 and lines[0].startswith(f"minunet {command[0]}: error: ")
            if code not in (1, 2) or not one:  # 1: the system refused it
                raise MisreadError(f"{command[0]}: exit {code}, {error[-300:]!r}")
            raise InputError(lines[0])


def _call(command: list[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it writes to standard error."""
    error = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
        try:
            code = main(command)
        except SystemExit as stop:
            code = stop.code
    return code, error.getvalue()


def _write_cells(folder: Path) -> Path:
    """Write four images of two bright squares, and their masks with a number for each cell."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(4):
        mask = np.zeros((40, 48), np.uint8)
        mask[5 + i : 20, 8:20], mask[24:34, 26 : 40 - i] = 1, 2
        image = (100 * (mask > 0) + 60 + 10 * rng.standard_normal(mask.shape)).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"cell{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"cell{i}.png")
    return folder
