"""What each command of the command line does; the options are declared in `cli.py`."""

import time
from pathlib import Path

from minunet import run_folder
from minunet.benching.run import run_bench
from minunet.checkpoint import load_checkpoint
from minunet.config import Config
from minunet.course.grading import grade_folder
from minunet.data import Dataset, load_data
from minunet.errors import InputError
from minunet.evaluate import predict_samples
from minunet.evaluation_table import table
from minunet.gpu_memory import name_a_tile_that_fits
from minunet.gradcheck import gradcheck as check_gradients
from minunet.gradchecking.cases import cases
from minunet.networks import CELLS
from minunet.optim import LEARNING_RATES
from minunet.predict_files import checkpoint_and_images, predict_files, read_images
from minunet.progress import train_with_bar
from minunet.recipes import RECIPES
from minunet.summary import summary as network_table
from minunet.train import prediction_tile, start


def train(options) -> int:
    """Train a network, or continue a run; write everything to the run folder."""
    given = {name: value for name, value in vars(options).items() if name in Config._fields and value is not None}
    if "minutes" in given:
        given["steps"] = None
    if options.resume:
        folder = _folder_to_resume(options.out, given, options.recipe)
        if given.get("steps"):
            given["minutes"] = None
        run = run_folder.resume_run(folder, **given)
        dataset = load_data(run.config.data, run.config.seed)
    else:
        settings = {**RECIPES[options.recipe or "quick"], **given}
        config = Config(**settings)
        if "learning_rate" not in settings:
            config = config._replace(learning_rate=LEARNING_RATES[config.optimiser])
        folder = run_folder.new_folder(options.out, f"runs/{config.data.partition(':')[0]}")
        dataset = load_data(config.data, config.seed)
        with name_a_tile_that_fits(config, dataset):
            run = start(config, dataset)
        run_folder.save_run(run, folder)
    _print_note(dataset)
    print(f"{len(dataset.train)} images to train on, {len(dataset.validation)} held out; writing to {folder}")

    weights = run_folder.weights_of_run(run.config, dataset.train, folder)
    with name_a_tile_that_fits(run.config, dataset):
        stopped = train_with_bar(run, dataset, weights, lambda: run_folder.save_run(run, folder))
    if stopped:
        print(f"stopped after step {len(run.history)}; continue with: minunet train --resume --out {folder}")
        return 130
    choices = {"tile": prediction_tile(run.config), "progress": True}
    probabilities = predict_samples(run.params, run.normalisation, dataset.validation, **choices)
    print(table(run_folder.write_evaluation(dataset.validation, probabilities, folder)))
    print(f"look at {folder / 'contact_sheet.png'} and {folder / 'curves.png'}")
    return 0


def predict(options) -> int:
    """Write the probabilities and the classes of each image as PNG files."""
    checkpoint, paths = checkpoint_and_images(options.files)
    network = load_checkpoint(checkpoint)
    images = read_images(paths, network)
    predict_files(images, network, Path(options.out), tile=options.tile, rotations=options.rotations)
    return 0


def evaluate(options) -> int:
    """Print each measure for every held-out image, with the majority-class baseline; write metrics.json."""
    stored = load_checkpoint(options.checkpoint or CELLS)
    data = options.data or stored["config"]["data"]
    folder = run_folder.new_folder(options.out, f"runs/evaluation-{data.partition(':')[0]}")
    dataset = load_data(data, stored["config"]["seed"])
    _print_note(dataset)
    samples = dataset.validation
    choices = {"tile": options.tile, "rotations": options.rotations, "progress": True}
    probabilities = predict_samples(stored["params"], stored["normalisation"], samples, **choices)
    print(table(run_folder.write_evaluation(samples, probabilities, folder)))
    print(f"written to {folder}")
    return 0


def gradcheck(options) -> int:
    """Check every layer and a small U-Net; print where and why one fails."""
    known = cases()
    unknown = [name for name in options.layers if name not in known]
    if unknown:
        raise InputError(f"layer must be one of {', '.join(known)}, got {unknown[0]!r}")
    ok = True
    for name in options.layers or known:
        began = time.perf_counter()
        report = check_gradients(*known[name])
        print(f"{name}: {report}   {time.perf_counter() - began:.2f} s\n")
        ok &= report.ok
    print("all gradients are right" if ok else "at least one gradient is wrong; see the findings above")
    return 0 if ok else 1


def summary(options) -> int:
    """Print the numbers of Fig. 1."""
    if len(options.input) > 2:
        raise InputError(f"--input takes one size, or height and width, got {len(options.input)} numbers")
    height, width = options.input if len(options.input) == 2 else options.input * 2
    network = {name: getattr(options, name) for name in ("in_channels", "num_classes", "base_channels", "depth")}
    print(network_table(height, width, **network))
    return 0


def bench(options) -> int:
    """Time layers and a training step, print tables, draw a roofline."""
    given = {name: value for name, value in vars(options).items() if name != "command"}
    run_bench(**given)
    return 0


def grade(options) -> int:
    """Grade each notebook of a folder; write a table."""
    rows = grade_folder(Path(options.folder), Path(options.out), options.seconds)
    remarks = sum(bool(row["remark"]) for row in rows)
    print(f"{len(rows)} notebooks graded, {remarks} with a remark; written to {options.out}")
    return 0


def _print_note(dataset: Dataset) -> None:
    if dataset.note:
        print(f"{dataset.name}: {dataset.note}")


def _folder_to_resume(out: str | None, given: dict, recipe: str | None) -> Path:
    """Return the folder; raise InputError if there is none, or `given` holds options that would make it another run."""
    if out is None:
        raise InputError("--resume needs the folder of the run: minunet train --resume --out DIR")
    changed = sorted(set(given) - {"steps", "minutes", "device"} | ({"recipe"} if recipe else set()))
    if changed:
        names = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise InputError(
            f"--resume continues a run as it was configured, got {names}; leave it out, or start a new run"
        )
    return Path(out)
