"""`minunet evaluate`: measure a network on held-out images, beside the majority class."""

import argparse

from minunet.cli.shared_options import DATA_HELP, add_prediction_options, print_note
from minunet.data import load_data
from minunet.metrics.table import table
from minunet.network.trained import CELLS
from minunet.prediction.predict import predict_samples
from minunet.training import run_folder
from minunet.training.checkpoint import load_checkpoint

HELP = "measure a network on held-out images, beside the majority class"
EXAMPLE = "minunet evaluate runs/em/checkpoint.npz --data isbi:DIR"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="checkpoint.npz of a run; default: a network trained on synthetic cells",
    )
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; default: what it was trained on")
    command.add_argument(
        "--out",
        metavar="DIR",
        help="for metrics.json, contact_sheet.png, predictions.png; default runs/evaluation-DATA-1, -2, ...",
    )
    add_prediction_options(command)


def run(options) -> int:
    """Print each measure for every held-out image, with the majority-class baseline; write metrics.json."""
    stored = load_checkpoint(options.checkpoint or CELLS)
    data = options.data or stored["config"]["data"]
    folder = run_folder.new_folder(options.out, f"runs/evaluation-{data.partition(':')[0]}")
    dataset = load_data(data, stored["config"]["seed"])
    print_note(dataset)
    samples = dataset.validation
    choices = {"tile": options.tile, "rotations": options.rotations, "progress": True}
    probabilities = predict_samples(stored["params"], stored["normalisation"], samples, **choices)
    print(table(run_folder.write_evaluation(samples, probabilities, folder)))
    print(f"written to {folder}")
    return 0
