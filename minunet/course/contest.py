"""An open contest: who finds the cells of held-out images best? Judged by SEG, written as a leaderboard.

    held_out/images/a.tif       what everybody gets: images without their truth
    held_out/masks/a.png        what the teacher keeps: one number per cell, 0 for background
    entries/anna/a.png          an entry: a folder of label images, under the names of the images

`minunet grade entries --contest held_out --out leaderboard.csv` fills the table. A missing or unusable label image
counts 0 and is remarked on; it stops neither the other images nor the other entries.
"""

import csv
import math
from pathlib import Path

import numpy as np
from PIL import Image

from minunet.data import Sample, read_labels
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.metrics import seg_score

MOST_CELLS = 65535  # numbers of 16 bits
COLUMNS = ["rank", "entry", "seg", "worst_image", "worst_seg", "remark"]


def write_held_out(samples: list[Sample], folder: str | Path) -> None:
    """Write grey images and their cells as the folder of a contest; `--data folder:DIR --labels instances` reads it."""
    for sample in samples:
        if sample.instances is None:
            raise InputError(f"expected one number per cell, got {sample.name} with classes only")
        for kind in ("images", "masks"):
            (Path(folder) / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.image[0]).save(Path(folder) / "images" / f"{sample.name}.tif")
        write_labels(Path(folder) / "masks" / f"{sample.name}.png", sample.instances)


def write_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write label images (H, W), one number per cell and 0 for background, as a PNG of 16 bits."""
    if labels.ndim != 2 or labels.min() < 0 or labels.max() > MOST_CELLS:
        raise InputError(
            f"expected labels (H, W) from 0 to {MOST_CELLS}, got {labels.shape} from {labels.min()} to {labels.max()}"
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint16)).save(path)


def score(predicted_labels_folder: str | Path, held_out_folder: str | Path) -> list[dict]:
    """Compare an entry with the truth.

    Parameters
    ----------
    predicted_labels_folder : path
        Label images, such as `write_labels` makes, under the names of the held-out images.
    held_out_folder : path
        Its folder `masks` holds the truth.

    Returns
    -------
    rows : list of dict
        One for each image: image, seg (0 to 1; NaN if the truth has no cell) and remark, "" or what is wrong.

    Raises
    ------
    InputError
        If the truth is missing or can't be read. What is wrong with an entry is remarked on instead.
    """
    truths = _files(Path(held_out_folder) / "masks")
    if not truths:
        raise InputError(
            f"expected the truth of each image in {Path(held_out_folder) / 'masks'}, found none; see --help"
        )
    proposals = _files(Path(predicted_labels_folder))
    return [_row(name, read_labels(truth), proposals.get(name)) for name, truth in truths.items()]


def mean_seg(rows: list[dict]) -> float:
    """Return the mean SEG of an entry over the images whose truth has cells."""
    scores = [row["seg"] for row in rows if not math.isnan(row["seg"])]
    return float(np.mean(scores)) if scores else math.nan


def write_leaderboard(entries: str | Path, held_out: str | Path, out: str | Path) -> list[dict]:
    """Score each folder in `entries`; write the table, the best first, and return its rows.

    Entries of the same score have the same rank.

    Raises
    ------
    InputError
        If there is no entry or no truth.
    """
    folders = sorted(path for path in Path(entries).glob("*") if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise InputError(f"expected a folder of label images for each entry in {entries}, found no folder")
    rows = [_entry(folder.name, score(folder, held_out)) for folder in folders]
    rows.sort(key=lambda row: -row["seg"])
    for row in rows:
        row["rank"] = 1 + sum(other["seg"] > row["seg"] for other in rows)

    def write(temporary):
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows({**row, "seg": f"{row['seg']:.4f}", "worst_seg": f"{row['worst_seg']:.4f}"} for row in rows)

    replace_atomically(Path(out), write)
    return rows


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by their names without extension, sorted; hidden files are left out."""
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    return {path.stem: path for path in found if path.is_file() and not path.name.startswith(".")}


def _row(name: str, truth: np.ndarray, path: Path | None) -> dict:
    """Return the row of one image; `path` is its label image, None if there is none."""
    try:
        if path is None:
            raise InputError("no label image")
        labels = read_labels(path)
        if labels.shape != truth.shape:
            raise InputError(f"expected {truth.shape}, got {labels.shape}")
        seg = seg_score(truth, labels)
    except InputError as error:
        return {"image": name, "seg": 0.0, "remark": f"{name}: {_without_folders(str(error), path)}"}
    one_number = len(np.unique(truth[truth > 0])) > 1 and len(np.unique(labels[labels > 0])) == 1
    return {"image": name, "seg": seg, "remark": f"{name}: one number for all cells" if one_number else ""}


def _entry(name: str, rows: list[dict]) -> dict:
    worst = min(rows, key=lambda row: math.inf if math.isnan(row["seg"]) else row["seg"])
    remark = "; ".join(row["remark"] for row in rows if row["remark"])
    return {
        "entry": name,
        "seg": mean_seg(rows),
        "worst_image": worst["image"],
        "worst_seg": worst["seg"],
        "remark": remark,
    }


def _without_folders(message: str, path: Path | None) -> str:
    """Return the message without the folders of the grader's machine, since students read it."""
    return message if path is None else message.removeprefix(f"{path}: ")
