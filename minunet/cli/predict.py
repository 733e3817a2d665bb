"""`minunet predict`: write, for images of any size, the probability of cell and the class of each pixel."""

import argparse
import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from minunet.cli.messages import print_error, print_line
from minunet.cli.predict_slide import add_block_option, is_slide, run_on_slide
from minunet.cli.shared_options import DEFAULT_OUT, add_prediction_options, add_scheduler_option, checkpoint_of
from minunet.data import normalisation_of, read_pages
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.network.trained import Network, load_network
from minunet.prediction.checks import check_image, check_tile
from minunet.prediction.predict import predict
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images
from minunet.training.folder_lock import FolderInUseError
from minunet.training.run_folder import made_and_held

EXAMPLE = "minunet predict cells.png, or minunet predict runs/em/checkpoint.npz slice.png --rotations 8"
NETWORKS = {".npz", ".pt", ".pth", ".ckpt", ".h5", ".hdf5", ".keras", ".onnx", ".pb", ".pkl", ".safetensors", ".tflite"}


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="optionally first the checkpoint.npz of a run, or the run's folder; without it, the trained network that "
        "comes with minunet is used. Then image files, or folders of them; for each of them, and for each page of a "
        "stack, NAME_probability.png and NAME_classes.png are written",
    )
    command.usage = "minunet predict [CHECKPOINT] IMAGE|FOLDER ... [--out DIR] [--tile N] [--rotations {1,4,7,8}] ..."
    where = (
        f"folder for the pictures; default {DEFAULT_OUT} or, where it holds results for these images already, "
        f"{DEFAULT_OUT}-2, -3, ..."
    )
    command.add_argument("--out", metavar="DIR", help=where)
    add_prediction_options(command)
    add_scheduler_option(command)
    add_block_option(command)


def run(options) -> int:
    """Write the probabilities and the classes of each image as PNG files; return 1 if some images could not be read."""
    name, paths = network_and_images(options.files)
    network = load_network(name)
    if is_slide(paths, options.out or ""):
        return run_on_slide(paths, network, options)
    if options.tile is not None:
        check_tile(options.tile, len(network.params["encode"]))
    paths = files_in(paths)
    images, errors = read_images(paths, network)
    check_out(options.out, images)
    if len(paths) == len(errors) == 1:
        raise InputError(errors[0])
    for error in errors:
        print_error(f"minunet predict: left out: {error}")
    if not images:
        raise InputError(f"expected an image that can be predicted, got none among {len(paths)} files; see above")
    choices = {"tile": options.tile, "rotations": options.rotations}
    with folder_for(options.out, images) as folder:
        if options.scheduler:
            with connected(options.scheduler) as client:
                predict_files(images, network, folder, functools.partial(predict_images, client=client), **choices)
        else:
            predict_files(images, network, folder, **choices)
    if errors:
        print_error(f"minunet predict: {len(errors)} of {len(paths)} files left out, see above")
    return 1 if errors else 0


def network_and_images(files: list[str]) -> tuple[str, list[str]]:
    """Return the name of a network, for `load_network`, and the image files; the first file may be a checkpoint."""
    first = checkpoint_of(files[0])
    for path in files[1:] if Path(first).suffix == ".npz" else files:
        if Path(path).suffix.lower() in NETWORKS:
            raise InputError(
                f"expected images, or one checkpoint of minunet (.npz) and then images, got {path}; without a "
                "checkpoint in the first place, the trained network that comes with minunet is used"
            )
    if Path(first).suffix != ".npz":
        return "cells", files
    if len(files) == 1:
        raise InputError(f"expected images after the checkpoint, got only {files[0]}; name at least one image")
    return first, files[1:]


def files_in(paths: list[str]) -> list[str]:
    """Return the paths, with the image files of a folder in its place; raise InputError if it holds none."""
    files = []
    for path in paths:
        if not Path(path).is_dir():
            files.append(path)
            continue
        found = [str(file) for file in sorted(Path(path).iterdir()) if file.suffix.lower() in _image_suffixes()]
        if not found:
            raise InputError(f"expected image files in the folder {path}, found none; check the path")
        files += found
    return files


@functools.cache
def _image_suffixes() -> set[str]:
    return set(Image.registered_extensions())


def read_images(paths: list[str], network: Network) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return each page of each file by its name, (C, H, W), and what is wrong with each file that cannot be used.

    Raises
    ------
    InputError
        If two images have one name.
    """
    images: dict[str, np.ndarray] = {}
    errors = []
    for path in paths:
        try:
            pages = _pages_for(path, network)
        except InputError as error:
            errors.append(str(error))
            continue
        for name, image in pages:
            if name in images:
                raise InputError(
                    f"two images are called {name}, so one result would replace the other; predict them one by one"
                )
            images[name] = image
    return images, errors


def _pages_for(path: str, network: Network) -> list[tuple[str, np.ndarray]]:
    """Return (name, image) for every page of a file; raise InputError if one cannot be read, or predicted."""
    pages = read_pages(path)
    for _, image in pages:
        try:
            check_image(network.params, image, network.normalisation)
            normalisation_of(image, network.normalisation)  # raises if the image has no contrast
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return pages


def check_out(out: str | None, names: Iterable[str]) -> None:
    """Raise InputError if --out is given and is a file, or holds results of these images. Nothing is made yet."""
    if out is None:
        return
    folder = Path(out)
    for part in (folder, *folder.parents):
        if part.is_file():
            raise InputError(f"--out must be a folder, got the file {part}; choose another --out")
    if taken := _taken(folder, names):
        raise InputError(f"--out must not hold results already, got {taken[0]}; choose another --out")


@contextlib.contextmanager
def folder_for(out: str | None, names: Iterable[str]) -> Iterator[Path]:
    """Make the folder for the results of these images, and hold it until the block ends.

    It is `out`, or the first default one that holds no results of these images and to which no other process writes.

    Raises
    ------
    InputError
        If `out` is a file, or holds results of these images, or another process writes to it.
    """
    with contextlib.ExitStack() as held:
        if out is None:
            yield _hold_a_default_folder(names, held)
        else:
            held.enter_context(made_and_held(Path(out)))
            check_out(out, names)  # once more: another process may have written to it since
            yield Path(out)


def _hold_a_default_folder(names: Iterable[str], held: contextlib.ExitStack) -> Path:
    numbered = (Path(f"{DEFAULT_OUT}-{number}") for number in itertools.count(2))
    for folder in itertools.chain([Path(DEFAULT_OUT)], numbered):
        if folder.is_file() or _taken(folder, names):
            continue
        with contextlib.suppress(FolderInUseError):
            held.enter_context(made_and_held(folder))
            if not _taken(folder, names):
                return folder
            held.close()  # another process has written its results since
    raise AssertionError("the numbers never end")


def _taken(folder: Path, names: Iterable[str]) -> list[Path]:
    return [path for name in names for path in _result_paths(folder, name) if path.exists()]


def predict_in_turn(network: Network, images: list[np.ndarray], **options) -> Iterator[np.ndarray]:
    """Yield the probabilities (K, H, W) of each image."""
    for image in images:
        yield predict(network, image, progress=True, **options)


def predict_files(images: dict, network: Network, folder: Path, predict_all=predict_in_turn, **options) -> None:
    """Write the probabilities and the classes of each image as PNG files, and print their paths.

    `images` as from `read_images`; ``predict_all(network, images, **options)`` yields the probabilities of each, with
    options as for `predict`.
    """
    results = predict_all(network, list(images.values()), **options)
    for name, probabilities in zip(images, results, strict=True):
        K = len(probabilities)
        of_any_cell, classes = 1 - probabilities[0], probabilities.argmax(axis=0)  # (H, W) each
        grey_values = [of_any_cell, classes / max(1, K - 1)]  # from 0 to 1
        paths = _result_paths(folder, name)
        for path, grey in zip(paths, grey_values, strict=True):
            picture = Image.fromarray(np.round(255 * grey).astype(np.uint8))
            replace_atomically(path, picture.save)
        print_line(" ".join(map(str, paths)))


def _result_paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_probability.png", folder / f"{name}_classes.png"]
