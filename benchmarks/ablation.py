"""What is each part of the recipe worth? Train with all parts, and with one taken away, for several seeds.

    OPENBLAS_NUM_THREADS=1 python benchmarks/ablation.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/ablation.py --data isbi:DIR --out ablation-isbi.json

It writes minunet/course/ablation.json, which page 20 of the course reads and draws. Each row is written as soon as it
is measured. A run that was stopped goes on where it was: give the same command again.

For one seed all runs have the same training images, the same first weights, the same number of steps, and the same
places and angles of the tiles, so two rows of one seed differ by the part alone. Another seed changes all of these. The
held-out images are the same for all rows.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from datetime import date
from pathlib import Path

import numpy as np
from tqdm import tqdm

from minunet.data import AUGMENTATIONS, Augmentation, Dataset, load_data, synthetic_dataset
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.metrics import best_over_thresholds, components, pixel_error, seg_score, v_rand
from minunet.prediction.predict import predict_samples
from minunet.training.config import Config
from minunet.training.train import Run, start, train_steps

ROOT = Path(__file__).resolve().parents[1]
AUGMENTATIONS["no bending"] = Augmentation(elastic=0.0)  # still turned, mirrored, lighter or darker

PAPER = {"batch": 1, "init": "he", "norm": "none", "correction": "none"}  # what all rows have
ALL = {"weights": "map", "augmentation": "elastic", "dropout_rate": 0.5}
VARIATIONS = {  # name: the settings, and whether there are skips
    "all parts": (ALL, True),
    "without skips": (ALL, False),
    "without weight map": ({**ALL, "weights": "none"}, True),
    "without bending": ({**ALL, "augmentation": "no bending"}, True),
    "without dropout": ({**ALL, "dropout_rate": 0.0}, True),
    "without all four": ({"weights": "none", "augmentation": "no bending"}, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic", help="synthetic, or KIND:DIR as for minunet train")
    parser.add_argument("--images", type=int, default=2, help="training images of each seed (default: 2)")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--base-channels", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)))
    parser.add_argument("--out", type=Path, default=ROOT / "minunet" / "course" / "ablation.json")
    options = parser.parse_args()
    if options.images < 1 or options.steps < 1:
        raise InputError(f"expected at least 1 image and 1 step, got {options.images} and {options.steps}")
    settings = {
        "data": options.data.partition(":")[0],
        "images": options.images,
        "steps": options.steps,
        "base_channels": options.base_channels,
        "depth": 3,
        "tile": 156,
    }
    results = read_results(options.out, settings)
    done = {(row["variation"], row["seed"]) for row in results["rows"]}
    runs = [(name, seed) for seed in options.seeds for name in VARIATIONS if (name, seed) not in done]
    for name, seed in tqdm(runs, unit="run"):
        results["rows"].append(measure(options.data, settings, name, seed))
        text = json.dumps(results, indent=1) + "\n"
        replace_atomically(options.out, lambda temporary, text=text: temporary.write_text(text, encoding="utf-8"))
    print(table(results["rows"]))


def read_results(path: Path, settings: dict) -> dict:
    """Return the results in the file, to go on with; or results without a row, if there is no file."""
    if not path.exists():
        return {"settings": settings, "measured": provenance(), "rows": []}
    results = json.loads(path.read_text(encoding="utf-8"))
    if results["settings"] != settings:
        raise InputError(f"{path} has results for {results['settings']}, got {settings}; choose another --out")
    return results


def provenance() -> dict:
    """Return where and when the results are made."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    machine = f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    return {"machine": machine, "date": date.today().isoformat(), "commit": commit or "unknown"}


def processor() -> str:
    """Return the processor's name, where Linux tells it, or else its kind."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def dataset_of(data: str, images: int, seed: int) -> Dataset:
    """Return the training images of a seed, and the held-out images, which are the same for all seeds."""
    if data == "synthetic":
        train = synthetic_dataset(seed, images, 0, 128, 128).train
        return synthetic_dataset(1000, 0, 6, 160, 160)._replace(train=train)
    dataset = load_data(data)
    chosen = np.random.default_rng(seed).choice(len(dataset.train), min(images, len(dataset.train)), replace=False)
    return dataset._replace(train=[dataset.train[i] for i in chosen])


def measure(data: str, settings: dict, name: str, seed: int) -> dict:
    """Train once; return the row of results."""
    began = time.process_time()
    parts, with_skips = VARIATIONS[name]
    dataset = dataset_of(data, settings["images"], seed)
    sizes = {key: settings[key] for key in ("steps", "base_channels", "depth", "tile")}
    run = start(Config(**sizes, **parts, **PAPER, seed=seed), dataset)
    train(run, dataset, with_skips)
    scores = scores_of(dataset.validation, predict_samples(run.network, dataset.validation))
    seconds = round(time.process_time() - began, 1)
    return {"variation": name, "seed": seed, **scores, "loss": run.history[-1]["loss"], "seconds": seconds}


def train(run: Run, dataset: Dataset, with_skips: bool) -> None:
    """Train to the end of the run.

    A skip whose weights are zero does nothing, forward or backward. So to take the skips away, their weights are set to
    zero before the first step and after each one. He's rule counts the inputs that arrive: half as many, so the weights
    that are left begin larger by the root of 2.
    """
    if not with_skips:
        for level in run.params["decode"]:
            level["conv1"]["weight"] *= np.float32(np.sqrt(2))
        cut_skips(run.params)
    for _ in train_steps(run, dataset._replace(validation=[])):
        if not with_skips:
            cut_skips(run.params)


def cut_skips(params: dict) -> None:
    """Set to zero, in place, the weights that read a skip: in each level's conv1, the first half of the channels."""
    for level in params["decode"]:
        weight = level["conv1"]["weight"]  # (F, 2F, 3, 3)
        weight[:, : weight.shape[1] // 2] = 0


def scores_of(samples: list, probabilities: list[np.ndarray]) -> dict:
    """Return the mean over the images of each score; those of cells need a truth that tells cells apart."""
    found = [p.argmax(axis=0) > 0 for p in probabilities]
    pairs = list(zip(samples, found, strict=True))
    scores = {"pixel_error": mean(pixel_error(s.labels > 0, cell, s.known) for s, cell in pairs)}
    if all(sample.instances is not None for sample in samples):
        truths = [sample.instances for sample in samples]
        scores["seg"] = mean(seg_score(s.instances, components(cell), s.known) for s, cell in pairs)
        scores["v_rand"] = mean(v_rand(s.instances, components(cell), s.known) for s, cell in pairs)
        knowns = [sample.known for sample in samples]
        best = best_over_thresholds(truths, [1 - p[0] for p in probabilities], knowns, with_seg=True)
        scores["seg_best"], scores["threshold"] = best["seg"]["score"], best["seg"]["threshold"]
    else:
        scores["v_rand"] = mean(v_rand(components(s.labels > 0), components(cell), s.known) for s, cell in pairs)
    return scores


def mean(values) -> float:
    return float(np.mean(list(values)))


def table(rows: list[dict]) -> str:
    """Return the means over the seeds, and from where to where the seeds go, as a table in Markdown."""
    columns = [name for name in ("pixel_error", "seg", "v_rand", "seg_best") if name in rows[0]]
    lines = [f"| | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    for variation in dict.fromkeys(row["variation"] for row in rows):
        own = [row for row in rows if row["variation"] == variation]
        cells = []
        for column in columns:
            values = [row[column] for row in own]
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {variation} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
