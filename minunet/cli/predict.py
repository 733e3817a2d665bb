"""`minunet predict`: write, for images of any size, the probability of cell and the class of each pixel."""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from minunet.cli.predict_slide import add_block_option, is_slide, run_on_slide
from minunet.cli.shared_options import add_prediction_options, add_scheduler_option
from minunet.data import normalisation_of, read_pages
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.network.trained import Network, load_network
from minunet.prediction.checks import check_image
from minunet.prediction.predict import predict
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images

HELP = "write, for images of any size, the probability of cell and the class of each pixel"
EXAMPLE = "minunet predict cells.png, or minunet predict runs/em/checkpoint.npz slice.png --rotations 8"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="optionally first the checkpoint.npz of a run; without it, the trained network that comes with minunet is "
        "used. Then image files; each page of a stack has results of its own",
    )
    command.usage = "minunet predict [CHECKPOINT] IMAGE ... [--out DIR] [--tile N] [--rotations {1,4,7,8}] ..."
    where = "folder for the pictures; default predictions"
    command.add_argument("--out", default="predictions", metavar="DIR", help=where)
    add_prediction_options(command)
    add_scheduler_option(command)
    add_block_option(command)


def run(options) -> int:
    """Write the probabilities and the classes of each image as PNG files."""
    name, paths = network_and_images(options.files)
    network = load_network(name)
    if is_slide(paths, options.out):
        return run_on_slide(paths, network, options)
    images = read_images(paths, network)
    choices = {"tile": options.tile, "rotations": options.rotations}
    if options.scheduler:
        with connected(options.scheduler) as client:
            predict_files(images, network, Path(options.out), partial(predict_images, client=client), **choices)
    else:
        predict_files(images, network, Path(options.out), **choices)
    return 0


def network_and_images(files: list[str]) -> tuple[str, list[str]]:
    """Return the name of a network, for `load_network`, and the image files; the first file may be a checkpoint."""
    if Path(files[0]).suffix != ".npz":
        return "cells", files
    if len(files) == 1:
        raise InputError(f"expected images after the checkpoint, got only {files[0]}; name at least one image")
    return files[0], files[1:]


def read_images(paths: list[str], network: Network) -> dict[str, np.ndarray]:
    """Return each page of each file by its name, (C, H, W).

    Raises
    ------
    InputError
        If a file cannot be read, does not fit the network, or shares its name with another.
    """
    images = {}
    for path in paths:
        for name, image in read_pages(path):
            if name in images:
                raise InputError(
                    f"two images are called {name}, so one result would replace the other; predict them one by one"
                )
            try:
                check_image(network.params, image, network.normalisation)
                normalisation_of(image, network.normalisation)  # raises if the image has no contrast
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
            images[name] = image
    return images


def predict_in_turn(network: Network, images: list[np.ndarray], **options) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image."""
    for image in images:
        yield predict(network, image, progress=True, **options)


def predict_files(images: dict, network: Network, folder: Path, predict_all=predict_in_turn, **options) -> None:
    """Write the probabilities and the classes of each image as PNG files, and print their paths.

    `images` as from `read_images`; ``predict_all(network, images, **options)`` yields the probabilities of each, with
    options as for `predict`.

    Raises
    ------
    InputError
        If the folder holds results of that name already.
    """
    for name in images:
        taken = [path for path in _result_paths(folder, name) if path.exists()]
        if taken:
            raise InputError(f"--out must not hold results already, got {taken[0]}; choose another --out")
    results = predict_all(network, list(images.values()), **options)
    for name, probabilities in zip(images, results, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        K = len(probabilities)
        of_any_cell, classes = 1 - probabilities[0], probabilities.argmax(axis=0)  # (H, W) each
        grey_values = [of_any_cell, classes / max(1, K - 1)]  # from 0 to 1
        paths = _result_paths(folder, name)
        for path, grey in zip(paths, grey_values, strict=True):
            picture = Image.fromarray(np.round(255 * grey).astype(np.uint8))
            replace_atomically(path, picture.save)
        print(*paths)


def _result_paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_probability.png", folder / f"{name}_classes.png"]
