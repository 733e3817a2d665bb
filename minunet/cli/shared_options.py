"""What several commands share: the help for --data, the options of a prediction, and what is said of the images."""

import argparse
from pathlib import Path

import numpy as np

from minunet.cli.messages import print_error, print_line, with_flags
from minunet.data import Dataset
from minunet.data.image_statistics import what_is_foreign
from minunet.data.readers.masks import MEANINGS
from minunet.errors import InputError, shown
from minunet.metrics.chosen_threshold import check_threshold
from minunet.metrics.touching import check_split
from minunet.network.trained import Network
from minunet.prediction.rotations import COUNTS

DEFAULT_OUT = "predictions"  # folder of `minunet predict`
DATA_HELP = (
    "folder:DIR (your images in DIR/images/, and in DIR/masks/ a mask of the same name for each), synthetic (drawn by "
    "minunet), isbi:DIR (train-volume.tif, train-labels.tif), ctc:DIR (01/, 01_GT/, 01_ST/, ...) or dsb2018:DIR "
    "(ID/images/, ID/masks/)"
)
READING = ("labels", "classes", "void", "invert", "field_of_interest")  # options that say how data are read


def add_prediction_options(command: argparse.ArgumentParser) -> None:
    """Declare --tile and --rotations."""
    command.add_argument(
        "--tile",
        type=int,
        metavar="N",
        help="side of the input tile, in pixels; it changes the memory needed, not the result",
    )
    command.add_argument(
        "--rotations",
        type=int,
        default=1,
        choices=COUNTS,
        help="average over quarter turns (4), turns by 360/7 degrees as in the paper (7) or all symmetries of the "
        "square (8); default 1",
    )


def add_reading_options(group) -> None:
    """Declare --labels, --classes, --void, --invert and --field-of-interest."""
    labels = (
        "what the masks of folder: mean. binary: cell is above the middle of the values, so 255 of 0 and 255, and the "
        "brighter of two colours; instances: each value is one cell, 0 background; classes: each value or colour is a "
        "class; default: binary if all masks have at most two values, instances if a mask has 10 numbers or more and "
        "nearly all are one piece each, else you are asked"
    )
    group.add_argument("--labels", choices=[word for word in MEANINGS if word not in ("auto", "guess")], help=labels)
    classes = (
        'values or colours of class 0, 1, ..., such as 0,128,255 or "#000000,#ff0000", or numbers of the palette that '
        "all masks have; default: all, sorted"
    )
    group.add_argument("--classes", metavar="V,V,...", help=classes)
    void = (
        "values or colours of pixels that are of no class, such as the 255 of Pascal VOC's masks: to be ignored, as by "
        "PyTorch's ignore_index: not learnt, not measured"
    )
    group.add_argument("--void", metavar="V,V,...", help=void)
    invert = (
        "of binary masks, look for what is dark; without this, for what is white, also where it is the membranes (in "
        "isbi: it is the cells)"
    )
    group.add_argument("--invert", action="store_true", default=None, help=invert)
    field = (
        "width of the band at the border of ctc: frames in which nothing is annotated: not learnt, not measured; "
        "default: the challenge's, by the folder's name, or 0"
    )
    group.add_argument("--field-of-interest", type=int, metavar="PIXELS", help=field)


def add_threshold_option(command: argparse.ArgumentParser) -> None:
    """Declare --threshold."""
    command.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="a pixel is cell where the probability of cell is above it, above 0 and below 1; default: the one stored "
        "with the network, which suited its held-out images best",
    )


def add_split_option(command: argparse.ArgumentParser) -> None:
    """Declare --split."""
    command.add_argument(
        "--split",
        type=float,
        metavar="FALL",
        help="cells that touch are told apart where the probability falls by so much between them: 0.1 to "
        "0.3 is usual, less splits more, and with 1 all that is connected is one cell, as on a slide; default: the one "
        "stored with the network",
    )


def as_asked(network: Network, options) -> Network:
    """Return the network with --threshold and --split in place of its own, where they are given and can be."""
    if options.threshold is not None:
        check_threshold(options.threshold)
        network = network._replace(threshold=options.threshold)
    if options.split is not None:
        check_split(options.split)
        network = network._replace(split=options.split)
    return network


def add_scheduler_option(command: argparse.ArgumentParser) -> None:
    """Declare --scheduler."""
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask scheduler whose workers do the work, such as tcp://10.0.0.1:8786",
    )


def check_range(option: str, number: float, least: float, most: float) -> None:
    """Raise InputError unless a number of the command line is one that the work can be begun with; NaN is none."""
    if not least <= number <= most:
        raise InputError(
            f"{option} must be from {least:,} to {most:,}, got {shown(number)}; leave it out for the default"
        )


def checkpoint_of(given: str) -> str:
    """Return the path of a checkpoint: as given or, for the folder of a run, that of the checkpoint in it."""
    inside = Path(given) / "checkpoint.npz"
    return str(inside) if inside.is_file() else given


def print_note(dataset: Dataset) -> None:
    """Print what a reader did to the images, if it did anything."""
    if dataset.note:
        flags = {name: "--" + name.replace("_", "-") for name in READING}
        print_line(f"{dataset.name}: {with_flags(dataset.note, flags)}")


def warn_of_foreign(command: str, images: list[tuple[str, np.ndarray]], network: Network) -> None:
    """Say in one line what sets images apart from those that the network was trained on, if anything does.

    `images` are (name, array (C, H, W)). Of several foreign ones, the first stands for all.
    """
    found = [(name, what_is_foreign(image, network.normalisation, network.statistics)) for name, image in images]
    foreign = [(name, differences) for name, differences in found if differences]
    if not foreign:
        return
    name, what = foreign[0][0], "; ".join(foreign[0][1])
    who, it = f"{name} is", "it"
    if len(foreign) > 1:
        who, it, what = f"{len(foreign)} of {len(images)} images are", "them", f"{name}: {what}"
    print_error(
        f"minunet {command}: warning: {who} unlike the images that this network was trained on, so what is found in "
        f"{it} may be wrong: {what}"
    )
