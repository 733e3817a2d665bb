"""`minunet predict`: write probabilities and classes of images of any size."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from minunet.cli.shared_options import add_prediction_options
from minunet.data import normalisation_of, read_pages
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.network.trained import CELLS
from minunet.prediction.checks import check_image
from minunet.prediction.predict import predict
from minunet.training.checkpoint import load_checkpoint

HELP = "write probabilities and classes of images of any size"
EXAMPLE = "minunet predict cells.png, or minunet predict runs/em/checkpoint.npz slice.png --rotations 8"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="checkpoint.npz of a run; without one, a network trained on synthetic cells. Then image files; a stack "
        "gives a result a page",
    )
    command.usage = "minunet predict [CHECKPOINT] IMAGE ... [--out DIR] [--tile N] [--rotations {1,4,7,8}]"
    command.add_argument("--out", default="predictions", metavar="DIR", help="default predictions")
    add_prediction_options(command)


def run(options) -> int:
    """Write the probabilities and the classes of each image as PNG files."""
    checkpoint, paths = checkpoint_and_images(options.files)
    network = load_checkpoint(checkpoint)
    images = read_images(paths, network)
    predict_files(images, network, Path(options.out), tile=options.tile, rotations=options.rotations)
    return 0


def checkpoint_and_images(files: list[str]) -> tuple[Path, list[str]]:
    """Tell a checkpoint, if the first file is one, from the images; without one, take the network that comes along."""
    if Path(files[0]).suffix != ".npz":
        return CELLS, files
    if len(files) == 1:
        raise InputError(f"expected images after the checkpoint, got only {files[0]}; name at least one image")
    return Path(files[0]), files[1:]


def read_images(paths: list[str], network: dict) -> dict[str, tuple[np.ndarray, dict]]:
    """Return each page of each file by its name: (image (C, H, W), its normalisation).

    `network` as from `load_checkpoint`.

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
                    f"two images are called {name}, and so would be their results; predict them one by one"
                )
            try:
                check_image(network["params"], image, network["normalisation"] or None)
                images[name] = image, normalisation_of(image, network["normalisation"])
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
    return images


def predict_files(images: dict, network: dict, folder: Path, **options) -> None:
    """Write the probabilities and the classes of each image as PNG files, and print their paths.

    `images` as from `read_images`; `options` as for `predict`.

    Raises
    ------
    InputError
        If the folder holds results of that name already.
    """
    for name in images:
        taken = [path for path in _result_paths(folder, name) if path.exists()]
        if taken:
            raise InputError(f"--out must not hold results already, got {taken[0]}; choose another --out")
    for name, (image, normalisation) in images.items():
        probabilities = predict(network["params"], image, normalisation=normalisation, progress=True, **options)
        folder.mkdir(parents=True, exist_ok=True)
        K = len(probabilities)
        grey_values = [1 - probabilities[0], probabilities.argmax(axis=0) / max(1, K - 1)]  # (H, W) each, from 0 to 1
        paths = _result_paths(folder, name)
        for path, grey in zip(paths, grey_values, strict=True):
            picture = Image.fromarray(np.round(255 * grey).astype(np.uint8))
            replace_atomically(path, picture.save)
        print(*paths)


def _result_paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_probability.png", folder / f"{name}_classes.png"]
