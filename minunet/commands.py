"""What each command of the command line does; the options are declared in `cli.py`."""

import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from minunet import run_folder
from minunet.checkpoint import load_checkpoint
from minunet.config import Config
from minunet.course.grading import find_submissions, write_grades
from minunet.course.grading import grade as grade_submission
from minunet.data import load_data, read_pages
from minunet.errors import InputError
from minunet.evaluate import predict_samples
from minunet.evaluation_table import table
from minunet.files import replace_atomically
from minunet.gradcheck import gradcheck as check_gradients
from minunet.gradchecking.cases import cases
from minunet.predict import predict as predict_image
from minunet.predict_checks import check_image
from minunet.progress import train_with_bar
from minunet.recipes import RECIPES
from minunet.summary import summary as network_table
from minunet.train import start


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
        config = Config(**{**RECIPES[options.recipe or "quick"], **given})
        folder = run_folder.new_folder(options.out, f"runs/{config.data.partition(':')[0]}")
        dataset = load_data(config.data, config.seed)
        run = start(config, dataset)
        run_folder.save_run(run, folder)
    print(f"{len(dataset.train)} images to train on, {len(dataset.validation)} held out; writing to {folder}")

    weights = run_folder.weights_of_run(run.config, dataset.train, folder)
    stopped = train_with_bar(run, dataset, weights, lambda: run_folder.save_run(run, folder))
    if stopped:
        print(f"stopped after step {len(run.history)}; continue with: minunet train --resume --out {folder}")
        return 130
    probabilities = predict_samples(run.params, run.normalisation, dataset.validation, progress=True)
    print(table(run_folder.write_evaluation(dataset.validation, probabilities, folder)))
    print(f"look at {folder / 'contact_sheet.png'} and {folder / 'curves.png'}")
    return 0


def predict(options) -> int:
    """Write the probabilities and the classes of each image as PNG files."""
    stored = load_checkpoint(options.checkpoint)
    params, normalisation = stored["params"], stored["normalisation"]
    folder = Path(options.out)
    images = {}
    for path in options.images:
        for name, image in read_pages(path):
            if name in images:
                raise InputError(
                    f"two images are called {name}, and so would be their results; predict them one by one"
                )
            try:
                check_image(params, image, normalisation)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
            images[name] = image
    for name in images:
        taken = [path for path in _result_paths(folder, name) if path.exists()]
        if taken:
            raise InputError(f"--out must not hold results already, got {taken[0]}; choose another --out")
    for name, image in images.items():
        choices = {"normalisation": normalisation, "progress": True}
        probabilities = predict_image(params, image, options.tile, options.rotations, **choices)
        folder.mkdir(parents=True, exist_ok=True)
        K = len(probabilities)
        grey_values = [1 - probabilities[0], probabilities.argmax(axis=0) / max(1, K - 1)]  # (H, W) each, from 0 to 1
        paths = _result_paths(folder, name)
        for path, grey in zip(paths, grey_values, strict=True):
            picture = Image.fromarray(np.round(255 * grey).astype(np.uint8))
            replace_atomically(path, picture.save)
        print(*paths)
    return 0


def evaluate(options) -> int:
    """Print each measure for every held-out image, with the majority-class baseline; write metrics.json."""
    stored = load_checkpoint(options.checkpoint)
    data = options.data or stored["config"]["data"]
    folder = run_folder.new_folder(options.out, f"runs/evaluation-{data.partition(':')[0]}")
    samples = load_data(data, stored["config"]["seed"]).validation
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


def grade(options) -> int:
    """Grade each notebook of a folder; write a table."""
    out = Path(options.out)
    if out.exists():
        raise InputError(f"--out must be a new file, {out} exists; choose another --out")
    if not out.parent.is_dir():
        raise InputError(f"--out must be in a folder that exists, found no {out.parent}")
    if not options.seconds > 0:
        raise InputError(f"--seconds must be above 0, got {options.seconds:g}")
    folder = Path(options.folder)
    paths = find_submissions(folder)
    rows = []
    for path in tqdm(paths, unit="notebook", disable=None):
        rows.append({"file": path.relative_to(folder).as_posix(), **grade_submission(path, options.seconds)})
    write_grades(rows, out)
    print(f"{len(rows)} notebooks graded, {sum(bool(row['remark']) for row in rows)} with a remark; written to {out}")
    return 0


def _result_paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_probability.png", folder / f"{name}_classes.png"]


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
