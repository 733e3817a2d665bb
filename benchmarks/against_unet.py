"""Train minunet from its command line, and a plain U-Net of a framework, for the same minutes; compare what comes out.

    python benchmarks/against_unet.py isbi:DIR dsb2018:DIR --minutes 5 --seeds 0 1 2 --out against_unet.csv

The framework's side is `plain_unet.py`. Both sides read and split the data alike, and one measure is taken of both, on
the held-out images: minunet at the threshold that it stored, PyTorch at 0.5. How touching cells are told apart is
chosen for both alike, on these images (`minunet/metrics/chosen_split.py`). They train in turn, on all cores; with
`--at-once` they train at the same time, with one thread each, and the table takes half as long on two cores. What
follows `--` goes to `minunet train` as it is. Rows are added to the file; means over the seeds are printed.
"""

import argparse
import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from minunet.data import load_data
from minunet.metrics.chosen_split import choose_split
from minunet.metrics.evaluation import evaluate

MEASURES = ("pixel_error", "majority_pixel_error", "iou", "v_rand", "seg")
COLUMNS = ("data", "side", "seed", "minutes", *MEASURES)
SIDES = ("minunet", "PyTorch")
HERE = Path(__file__).parent


def main() -> None:
    ours = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="as for `minunet train --data`")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--at-once", action="store_true", help="both sides at the same time, with one thread each")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default="minunet", help="for minunet's rows, where `--` gives it other options")
    parser.add_argument("--out", type=Path, help="a CSV file; its rows are added to those that it has")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for minunet's runs; without, they are not kept")
    options = parser.parse_args(sys.argv[1:ours])
    options.ours = sys.argv[ours + 1 :]
    for data in options.data:
        rows = [row for seed in options.seeds for row in both_sides(data, seed, options)]
        for side in dict.fromkeys(row["side"] for row in rows):
            mine = [row for row in rows if row["side"] == side]
            known = [name for name in MEASURES if all(row[name] != "" for row in mine)]
            words = "  ".join(f"{name} {np.mean([row[name] for row in mine]):.4f}" for name in known)
            print(f"{named(data)}, {side}, mean of {len(mine)}: {words}", flush=True)


def both_sides(data: str, seed: int, options) -> list[dict]:
    """Train with one seed; return a row for each side."""
    threads = 1 if options.at_once else options.threads
    with contextlib.ExitStack() as stack:
        if options.keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="against-")))
        else:
            folder = options.keep / f"{named(data).replace(':', '-')}-{seed}"
            folder.mkdir(parents=True)
        commands = {
            "minunet": ours(data, seed, options, folder),
            "PyTorch": theirs(data, seed, options, threads, folder),
        }
        running = {}
        for side in options.sides:
            running[side] = start(commands[side], threads, folder / f"{side}.txt")
            if not options.at_once:
                finish(running[side], folder / f"{side}.txt")
        for side, process in running.items():
            finish(process, folder / f"{side}.txt")
        rows = []
        for side in options.sides:
            measured = measures_of(side, data, folder)
            name = options.name if side == "minunet" else side
            row = {"data": named(data), "side": name, "seed": seed, "minutes": options.minutes}
            row.update({name: round(measured[name], 4) if name in measured else "" for name in MEASURES})
            write(row, options.out)
            rows.append(row)
    return rows


def ours(data: str, seed: int, options, folder: Path) -> list[str]:
    what = ["--data", data, "--seed", str(seed), "--minutes", str(options.minutes), "--out", str(folder / "run")]
    return [sys.executable, "-m", "minunet", "train", *what, *options.ours]


def theirs(data: str, seed: int, options, threads: int, folder: Path) -> list[str]:
    what = [data, "--seed", str(seed), "--minutes", str(options.minutes), "--threads", str(threads)]
    return [sys.executable, str(HERE / "plain_unet.py"), *what, "--out", str(folder / "probabilities.npz")]


def start(command: list[str], threads: int, log: Path) -> subprocess.Popen:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    with open(log, "w") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, log: Path) -> None:
    if process.wait():
        raise SystemExit(f"{' '.join(map(str, process.args))} failed:\n{log.read_text()}")


def measures_of(side: str, data: str, folder: Path) -> dict:
    """Return the measures of one side: as `minunet train` has written them, or of the framework's probabilities."""
    if side == "minunet":
        measured = json.loads((folder / "run" / "metrics.json").read_text())
        return {name: value for name, value in measured.items() if value is not None}
    with np.load(folder / "probabilities.npz") as file:
        probabilities = list(file.values())
    samples = load_data(data).validation
    split = choose_split(samples, probabilities, threshold=0.5).split
    return evaluate(samples, probabilities, split=split)


def named(data: str) -> str:
    """Return the name of a data set without the path of the machine: kind and last folder."""
    kind, _, folder = data.partition(":")
    return f"{kind}:{Path(folder).name}" if folder else kind


def write(row: dict, path: Path | None) -> None:
    """Print a row, and add it to the file."""
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    if path is None:
        return
    is_new = not path.exists()
    with contextlib.closing(open(path, "a", newline="", encoding="utf-8")) as file:
        writer = csv.DictWriter(file, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
