"""`minunet predict`: find the cells in images of any size; write them as numbers, outlines and a table."""

import argparse
import functools
from pathlib import Path

import numpy as np

from minunet.cli.messages import print_error
from minunet.cli.predict_files import predict_and_write, readable_images
from minunet.cli.predict_folder import check_out, folder_for
from minunet.cli.predict_inputs import files_in, names_of
from minunet.cli.predict_results import ALWAYS, FLOATS, OF_CELLS
from minunet.cli.predict_slide import add_block_option, is_slide, run_on_slide
from minunet.cli.shared_options import (
    DEFAULT_OUT,
    add_prediction_options,
    add_scheduler_option,
    add_split_option,
    add_threshold_option,
    as_asked,
    checkpoint_of,
)
from minunet.errors import InputError
from minunet.files import remove_unfinished
from minunet.metrics.cells import SPECK, check_min_area
from minunet.network.trained import Network, load_network
from minunet.prediction.checks import check_tile
from minunet.scale.cluster import connected
from minunet.scale.many_images import predict_images

EXAMPLE = "minunet predict cells.png, or minunet predict runs/mine cells.png --rotations 8"
NETWORKS = {".npz", ".pt", ".pth", ".ckpt", ".h5", ".hdf5", ".keras", ".onnx", ".pb", ".pkl", ".safetensors", ".tflite"}
MANY = 0.1  # of the cells


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "files",
        nargs="+",
        metavar="IMAGE",
        help="optionally first the checkpoint.npz of a run, or the run's folder; without it, the trained network that "
        'comes with minunet is used. Then image files, folders of them, or patterns such as "cells/*.tif". For each '
        "image, and for each page of a stack, these are written: NAME_cells.tif (one number per cell), "
        "NAME_overlay.png (the image with outlines of the cells), NAME_cells.csv (area, place and mean grey value of "
        "each cell), NAME_probability.png and NAME_classes.png",
    )
    command.usage = "minunet predict [CHECKPOINT] IMAGE|FOLDER ... [--out DIR] [--tile N] [--rotations {1,4,7,8}] ..."
    where = (
        f"folder for the results; default {DEFAULT_OUT} or, where it holds results for these images already, "
        f"{DEFAULT_OUT}-2, -3, ..."
    )
    command.add_argument("--out", metavar="DIR", help=where)
    only = f"write these results only, any of {', '.join(ALWAYS)}, with commas between them; table is NAME_cells.csv"
    command.add_argument("--only", type=_kinds, metavar="RESULTS", help=only)
    floats = "write the probability of each class too, as NAME_probabilities.tif or .npy, float32 (K, H, W)"
    command.add_argument("--probabilities", choices=FLOATS, help=floats)
    any_size = "read images of more than 179 million pixels too; small files can unpack to more than memory holds"
    command.add_argument("--any-size", action="store_true", help=any_size)
    add_prediction_options(command)
    add_threshold_option(command)
    add_split_option(command)
    min_area = "leave out cells of fewer pixels, in NAME_cells.tif, NAME_overlay.png and NAME_cells.csv; default 0"
    command.add_argument("--min-area", type=int, default=0, metavar="PIXELS", help=min_area)
    add_scheduler_option(command)
    add_block_option(command)


def run(options) -> int:
    """Write the results of each image; return 1 if some images could not be read."""
    name, paths = network_and_images(options.files)
    network = as_asked(load_network(name), options)
    check_min_area(options.min_area)
    if is_slide(paths, options.out or ""):
        return run_on_slide(paths, network, options)
    if options.tile is not None:
        check_tile(options.tile, len(network.params["encode"]))
    names, pages = names_of(files_in(paths))
    errors: list[str] = []
    check_out(options.out, pages)
    kinds = [*(options.only or ALWAYS), *([options.probabilities] if options.probabilities else [])]
    images = readable_images(names, network, options, errors, kinds)
    areas: list[np.ndarray] = []
    choices = {"tile": options.tile, "rotations": options.rotations, "kinds": kinds}
    choices |= {"min_area": options.min_area, "areas": areas}
    with folder_for(options.out, pages) as folder:
        for subfolder in {(folder / page).parent for page in pages} - {folder}:
            remove_unfinished(subfolder)
        if options.scheduler:
            with connected(options.scheduler) as client:
                send = functools.partial(predict_images, client=client)
                count = predict_and_write(images, network, folder, send, **choices)
        else:
            count = predict_and_write(images, network, folder, **choices)
    if len(names) == len(errors) == 1:
        raise InputError(errors[0])
    if not count:
        raise InputError(f"expected an image that can be predicted, got none among {len(names)} files; see above")
    if OF_CELLS.intersection(kinds):
        print_error(how_cells_are_found(name, network))
        if line := if_many_specks(np.concatenate(areas)):
            print_error(f"minunet predict: {line}")
    if errors:
        print_error(f"minunet predict: {len(errors)} of {len(names)} files left out, see above")
    return 1 if errors else 0


def _kinds(text: str) -> list[str]:
    """Return the kinds of results that --only names."""
    kinds = [word.strip() for word in text.split(",")]
    if unknown := [kind for kind in kinds if kind not in ALWAYS]:
        raise argparse.ArgumentTypeError(
            f"expected some of {', '.join(ALWAYS)}, with commas between them, got {unknown[0]!r}"
        )
    return [kind for kind in ALWAYS if kind in kinds]


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


def if_many_specks(areas: np.ndarray) -> str | None:
    """Return a line if more than MANY of the cells are specks, else None."""
    specks = np.count_nonzero(areas <= SPECK)
    if specks <= MANY * len(areas):
        return None
    return (
        f"{specks} of {len(areas)} cells have {SPECK} pixels or fewer; --min-area {SPECK + 1} leaves them out, and a "
        "larger number more"
    )


def how_cells_are_found(name: str, network: Network) -> str:
    """Return in one line which network was used, and what was called a cell."""
    which = "the network that comes with minunet" if name == "cells" else name
    threshold = network.threshold
    pixel = f"a pixel is cell above a probability of {threshold:g} (--threshold)"
    if len(network.params["head"]["bias"]) > 2:
        pixel = "a pixel is of its most probable class"
        if threshold != 0.5:
            pixel += f", where background counts {threshold / (1 - threshold):.2g} times (--threshold {threshold:g})"
    touching = f"told apart where the probability falls by {network.split:g}" if network.split < 1 else "one"
    return f"minunet predict: {which}: {pixel}; cells that touch are {touching} (--split)"
