"""`minunet evaluate`: measure a network on held-out images, compared with calling every pixel the more common class."""

import argparse

from minunet.cli.shared_options import (
    DATA_HELP,
    add_prediction_options,
    add_scheduler_option,
    checkpoint_of,
    print_note,
)
from minunet.data import load_data
from minunet.errors import InputError
from minunet.metrics.table import table
from minunet.network.trained import BUNDLED
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.prediction.predict import predict_samples
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images
from minunet.training import run_folder

EXAMPLE = "minunet evaluate runs/em/checkpoint.npz --data isbi:DIR"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="checkpoint.npz of a run, or the run's folder; default: the trained network that comes with minunet",
    )
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; default: the data that it was trained on")
    command.add_argument(
        "--out",
        metavar="DIR",
        help="folder for metrics.json, contact_sheet.png and predictions.png; default runs/evaluation-DATA-1, -2, ...",
    )
    add_prediction_options(command)
    add_scheduler_option(command)


def run(options) -> int:
    """Print each measure for every held-out image, with the majority-class baseline; write metrics.json."""
    stored = load_checkpoint(checkpoint_of(options.checkpoint) if options.checkpoint else BUNDLED["cells"])
    data = options.data or stored.config.get("data")
    if data in (None, "arrays"):
        raise InputError("this network does not say which data it was trained on; name the data with --data")
    folder = run_folder.new_folder(options.out, f"runs/evaluation-{data.partition(':')[0]}")
    dataset = load_data(data, stored.config.get("seed", 0))
    print_note(dataset)
    samples = dataset.validation
    choices = {"tile": options.tile, "rotations": options.rotations}
    if options.scheduler:
        with connected(options.scheduler) as client:
            images = [sample.image for sample in samples]
            probabilities = list(predict_images(stored.network, images, client, **choices))
    else:
        probabilities = predict_samples(stored.network, samples, progress=True, **choices)
    print(table(run_folder.write_evaluation(samples, probabilities, folder)))
    print(f"written to {folder}")
    return 0
