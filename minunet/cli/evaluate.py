"""`minunet evaluate`: measure a network on images it has not seen, with the majority class for comparison."""

import argparse

import numpy as np

from minunet.cli.messages import print_line
from minunet.cli.shared_options import (
    DATA_HELP,
    READING,
    add_prediction_options,
    add_reading_options,
    add_scheduler_option,
    add_split_option,
    add_threshold_option,
    as_asked,
    checkpoint_of,
    print_note,
    warn_of_foreign,
)
from minunet.data import Dataset, Sample
from minunet.data.colours import for_channels
from minunet.errors import InputError
from minunet.metrics.table import table
from minunet.network.trained import BUNDLED, Network
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.prediction.checks import check_tile
from minunet.prediction.predict import predict_samples
from minunet.progress import ProgressBar
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images
from minunet.training import run_folder
from minunet.training.config import Config
from minunet.training.measured import data_to_measure
from minunet.training.memory import check_evaluation
from minunet.training.stored_run import stored_config

EXAMPLE = "minunet evaluate runs/mine --data folder:DIR"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="checkpoint.npz of a run, or the run's folder; default: the trained network that comes with minunet",
    )
    command.add_argument(
        "--data",
        metavar="DATA",
        help=f"{DATA_HELP}; default: the data that it was trained on, of which the held-out "
        "images are measured; of other data all images are",
    )
    command.add_argument(
        "--out",
        metavar="DIR",
        help="folder for metrics.json, contact_sheet.png and predictions.png; default runs/evaluation-DATA-1, -2, ...",
    )
    add_reading_options(command.add_argument_group("what the data mean; default: as when the network was trained"))
    add_prediction_options(command)
    add_threshold_option(command)
    add_split_option(command)
    add_scheduler_option(command)


def run(options) -> int:
    """Print each measure for every held-out image, with the majority-class baseline; write metrics.json."""
    path = checkpoint_of(options.checkpoint) if options.checkpoint else BUNDLED["cells"]
    stored = load_checkpoint(path)
    config = stored_config(stored, path) if stored.config else Config(data="arrays")  # as from `save_network`
    data = options.data or config.data
    if data == "arrays":
        raise InputError("this network does not say which data it was trained on; name the data with --data")
    network = as_asked(stored.network, options)
    if options.tile is not None:
        check_tile(options.tile, len(network.params["encode"]))
    run_folder.check_out(options.out)
    dataset, which = data_to_measure(config, data, {name: getattr(options, name) for name in READING})
    dataset = _as_taken(dataset, network)
    _check_classes(network, dataset)
    if not options.scheduler:
        check_evaluation(network.params, dataset.validation, options.tile)
    with run_folder.new_folder(options.out, f"runs/evaluation-{data.partition(':')[0]}") as folder:
        print_note(dataset)
        print_line(f"measured: {which}")
        warn_of_foreign("evaluate", [(sample.name, sample.image) for sample in dataset.validation], network)
        probabilities = _predict(network, dataset.validation, options)
        evaluation = run_folder.write_evaluation(
            dataset.validation,
            probabilities,
            folder,
            network.threshold,
            network.split,
            binary=dataset.num_classes == 2,
            values=dataset.classes,
        )
    print_line(table(evaluation))
    of_threshold, of_split = (
        "as stored with the network" if given is None else "as asked for"
        for given in (options.threshold, options.split)
    )
    print_line(f"measured at threshold {network.threshold:g}, {of_threshold}, and split {network.split:g}, {of_split}")
    print_line(f"written to {folder}")
    return 0


def _as_taken(dataset: Dataset, network: Network) -> Dataset:
    """Return the data with its images as the network takes them: colour becomes grey for one channel, as in predict."""
    channels = network.params["encode"][0]["conv1"]["weight"].shape[1]
    samples = [sample._replace(image=for_channels(sample.image, channels)) for sample in dataset.validation]
    return dataset._replace(validation=samples)


def _check_classes(network: Network, dataset: Dataset) -> None:
    K = len(network.params["head"]["bias"])
    if dataset.num_classes > 2 and dataset.num_classes != K:
        raise InputError(
            f"expected data of {K} classes, as the network has, got {dataset.num_classes}; name the classes in the "
            "order of the training with classes=, or take labels=binary"
        )


def _predict(network: Network, samples: list[Sample], options) -> list[np.ndarray]:
    """Return the probabilities (K, H, W) of each sample, computed here or by the workers of a Dask scheduler."""
    choices = {"tile": options.tile, "rotations": options.rotations}
    if not options.scheduler:
        return predict_samples(network, samples, progress=True, **choices)
    with connected(options.scheduler) as client:
        images = predict_images(network, [sample.image for sample in samples], client, **choices)
        return list(ProgressBar(images, desc="predicting", total=len(samples), unit="image", leave=False))
