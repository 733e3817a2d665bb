"""`minunet predict` on a slide: an image too large for memory, from and to a Zarr store."""

import argparse
from pathlib import Path

from minunet.cli.shared_options import DEFAULT_OUT, check_range
from minunet.errors import InputError
from minunet.network.sizes import LARGEST_TILE
from minunet.network.trained import Network
from minunet.prediction.checks import check_tile
from minunet.scale.cluster import connected
from minunet.scale.slide import BLOCK, predict_slide


def add_block_option(command: argparse.ArgumentParser) -> None:
    """Declare --block."""
    command.add_argument(
        "--block",
        type=int,
        default=BLOCK,
        metavar="N",
        help="for a slide, from or to a Zarr store (IMAGE.zarr, --out RESULT.zarr): side of the blocks in which it is "
        f"computed and stored, in pixels; default {BLOCK}",
    )


def is_slide(paths: list[str], out: str) -> bool:
    """Return whether the image, or the result, is a Zarr store."""
    return Path(out).suffix == ".zarr" or any(_is_store(Path(path)) for path in paths)


def _is_store(path: Path) -> bool:
    """Tell a Zarr store, zipped or not, or a folder within one."""
    is_inside = path.is_dir() and any(folder.suffix == ".zarr" for folder in path.parents)
    return path.suffix == ".zarr" or path.name.endswith(".zarr.zip") or is_inside


def run_on_slide(paths: list[str], network: Network, options) -> int:
    """Predict one slide, block by block, on the workers of a Dask scheduler."""
    if len(paths) > 1 or Path(options.out or "").suffix != ".zarr":
        raise InputError(
            f"a slide gives one Zarr store, got {len(paths)} {'image' if len(paths) == 1 else 'images'} and --out "
            f"{options.out or DEFAULT_OUT}; "
            "write minunet predict CHECKPOINT IMAGE --out RESULT.zarr"
        )
    if options.only or options.probabilities:
        raise InputError("a slide's results are all in its Zarr store, got --only or --probabilities; leave them out")
    if options.rotations != 1:
        raise InputError(f"a slide is predicted without rotations, got --rotations {options.rotations}; leave it out")
    if options.split not in (None, 1):
        raise InputError(f"a slide's cells are not split where they touch, got --split {options.split}; leave it out")
    if options.min_area:
        raise InputError(f"a slide's cells stay whatever their size, got --min-area {options.min_area}; leave it out")
    check_range("--block", options.block, 1, LARGEST_TILE)
    if options.tile is not None:
        check_tile(options.tile, len(network.params["encode"]))
    with connected(options.scheduler) as client:
        predict_slide(network, paths[0], options.out, client, block=options.block, tile=options.tile)
    print(options.out)
    return 0
