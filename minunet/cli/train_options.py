"""The options of `minunet train`. Their defaults are those of `training/config.py` and `training/recipes.py`."""

import argparse

from minunet.cli.shared_options import DATA_HELP, add_reading_options
from minunet.data.augment import AUGMENTATIONS
from minunet.data.normalisation import SCOPES
from minunet.data.weighting import KINDS
from minunet.network.checks import NORMS
from minunet.training.config import CORRECTIONS, Config, resolve
from minunet.training.optimisers import OPTIMISERS
from minunet.training.recipes import RECIPES


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options, in groups: what to train on, how long and where, the network, and how it learns."""
    default = resolve({})
    add = command.add_argument
    add("--data", metavar="DATA", help=f"{DATA_HELP}; default {default.data}")
    add(
        "--out",
        metavar="DIR",
        help="folder for the network, the log and pictures, new or empty; default runs/DATA-1, -2, ...",
    )
    resume = "continue the run in DIR, or in --out: after Ctrl-C, or with more --steps"
    add("--resume", nargs="?", const=True, metavar="DIR", help=resume)
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help=f"length of the run in steps; default {default.steps}")
    length.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="minutes of training; validation, writing and the measures at the end do not count",
    )
    add(
        "--device",
        choices=("cpu", "gpu"),
        help=f"default {default.device}; on a GPU, CUPY_TF32=1 in the environment allows TF32",
    )
    add(
        "--seed",
        type=int,
        metavar="N",
        help=f"number from which the first weights and the tiles are drawn; default {default.seed}",
    )
    recipe = (
        "quick: minutes on two cores; paper: the paper's settings, hours on a CPU; any other option replaces its "
        "setting; default quick"
    )
    add("--recipe", choices=RECIPES, help=recipe)
    _add_data_options(command.add_argument_group("what the data mean"))
    _add_network_options(command.add_argument_group("the network"), default)
    _add_learning_options(command.add_argument_group("how it learns"), default)


def _add_data_options(group) -> None:
    add_reading_options(group)
    hold_out = (
        "images that are not trained on, but measured: a number or a share of them, the last ones by name; their "
        "names, with commas between; or a text file with a name a line; default: the last fifth, of dsb2018: a "
        "quarter, of isbi: a sixth"
    )
    group.add_argument("--hold-out", metavar="N|SHARE|NAMES|FILE", help=hold_out)


def _add_network_options(group, default: Config) -> None:
    channels = f"channels at full resolution, doubled with each level down; default {default.base_channels}"
    group.add_argument("--base-channels", type=int, metavar="N", help=channels)
    depth = f"how many times an image is halved; default {default.depth}"
    group.add_argument("--depth", type=int, metavar="N", help=depth)
    tile = f"side of the square that the network sees in a step, in pixels; default {default.tile}"
    group.add_argument("--tile", type=int, metavar="N", help=tile)
    batch = (
        "squares in a step; default 2, or with mpirun two for each process. With N cores, 2 N a step are the most "
        "squares a minute, in fewer steps"
    )
    group.add_argument("--batch", type=int, metavar="N", help=batch)
    norm = f"batch: batch normalisation after each 3x3 convolution while training; default {default.norm}"
    group.add_argument("--norm", choices=("none", *NORMS), help=norm)
    dropout = f"share of the bottom level that is dropped in a step; default {default.dropout_rate}"
    group.add_argument("--dropout-rate", type=float, metavar="P", help=dropout)


def _add_learning_options(group, default: Config) -> None:
    optimiser = f"sgd: gradient descent with momentum; or Adam; default {default.optimiser}"
    group.add_argument("--optimiser", choices=OPTIMISERS, help=optimiser)
    rates = ", ".join(f"{optimiser.normalised:g} for {optimiser.name}" for optimiser in OPTIMISERS.values())
    plain = f"with --norm none {OPTIMISERS['adam'].learning_rate:g} for adam"
    rate = f"highest learning rate of the run; default {rates}; {plain}"
    group.add_argument("--learning-rate", type=float, metavar="R", help=rate)
    momentum = f"share of the last step's motion that the next one keeps, from 0 to below 1; default {default.momentum}"
    group.add_argument("--momentum", type=float, metavar="M", help=momentum)
    weights = (
        "how much each pixel counts in the loss: by the paper's map (eq. 2), by its border term alone, by a "
        "light border term, or all the same (none); auto is light where the data tell cells apart, else none; default "
        + default.weights
    )
    group.add_argument("--weights", choices=KINDS, help=weights)
    correction = (
        "odds: take back what --weights does to the odds of cells, so that probabilities fit the images; none: leave "
        "it; default " + default.correction
    )
    group.add_argument("--correction", choices=CORRECTIONS, help=correction)
    augmentation = (
        "symmetries: tiles are flipped and turned by quarters; jitter: each channel lighter or darker, too; elastic: "
        "turned by any angle and bent besides; default " + default.augmentation
    )
    group.add_argument("--augmentation", choices=AUGMENTATIONS, help=augmentation)
    normalisation = (
        "of grey values, by the mean and standard deviation of the data set or of each image; default "
        + default.normalisation
    )
    group.add_argument("--normalisation", choices=SCOPES, help=normalisation)
