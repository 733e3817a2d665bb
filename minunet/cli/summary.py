"""`minunet summary`: print sizes, crops, parameters, FLOPs and memory of a network (Fig. 1)."""

import argparse

from minunet.cli.shared_options import check_range
from minunet.errors import InputError
from minunet.network.checks import NORMS, check_numbers
from minunet.network.summary import summary

LARGEST = 10**9  # pixels on a side
EXAMPLE = "minunet summary --input 572"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    size = "size of the input in pixels: one number, or height and width; default 572"
    command.add_argument("--input", type=int, nargs="+", default=[572], metavar="N", help=size)
    command.add_argument("--in-channels", type=int, default=1, metavar="N", help="channels of the input; default 1")
    command.add_argument("--num-classes", type=int, default=2, metavar="N", help="classes of a pixel; default 2")
    channels = "channels at full resolution, doubled with each level down; default 64"
    command.add_argument("--base-channels", type=int, default=64, metavar="N", help=channels)
    command.add_argument(
        "--depth", type=int, default=4, metavar="N", help="how many times an image is halved; default 4"
    )
    norm = "batch: with a batch normalisation behind each 3x3 convolution, as in training; default none"
    command.add_argument("--norm", choices=("none", *NORMS), default="none", help=norm)


def run(options) -> int:
    """Print the numbers of Fig. 1."""
    if len(options.input) > 2:
        raise InputError(f"--input takes one size, or height and width, got {len(options.input)} numbers")
    for size in options.input:
        check_range("--input", size, 1, LARGEST)
    height, width = options.input if len(options.input) == 2 else options.input * 2
    network = {name: getattr(options, name) for name in ("in_channels", "num_classes", "base_channels", "depth")}
    check_numbers(**network)
    print(summary(height, width, **network, norm=None if options.norm == "none" else options.norm))
    return 0
