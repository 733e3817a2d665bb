"""The command line: `minunet COMMAND ...` or `python -m minunet COMMAND ...`."""

import argparse
import sys

from minunet.config import Config
from minunet.data.augment import AUGMENTATIONS
from minunet.data.normalise import SCOPES
from minunet.data.weighting import KINDS
from minunet.errors import InputError
from minunet.fast.memory import keep_freed_memory
from minunet.optim import LEARNING_RATES, OPTIMISERS
from minunet.recipes import RECIPES
from minunet.rotations import COUNTS

DATA_HELP = (
    "synthetic (embedded), isbi:DIR (train-volume.tif, train-labels.tif), ctc:DIR (01/, 01_GT/, 01_ST/, ...), "
    "dsb2018:DIR (ID/images/, ID/masks/) or folder:DIR (images/, masks/)"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 2 after one line on what was wrong with the input."""
    options = _parser().parse_args(arguments)
    from minunet import commands

    keep_freed_memory()
    try:
        return getattr(commands, options.command)(options)
    except (InputError, OSError) as error:
        print(f"minunet {options.command}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minunet", description="A U-Net you can read: train, predict, evaluate, check."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_predict(commands)
    _add_evaluate(commands)
    _add_gradcheck(commands)
    _add_summary(commands)
    _add_bench(commands)
    _add_grade(commands)
    return parser


def _add_train(commands) -> None:
    example = "minunet train --data isbi:DIR --base-channels 16 --depth 3 --tile 220 --minutes 5 --out runs/em"
    command = _add(commands, "train", "train a network; with no options, on synthetic cells", example)
    default = Config()
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; default {default.data}")
    command.add_argument("--recipe", choices=RECIPES, help="settings that belong together; the options below beat it")
    command.add_argument(
        "--base-channels", type=int, metavar="N", help=f"channels of level 0; default {default.base_channels}"
    )
    command.add_argument("--depth", type=int, metavar="N", help=f"number of poolings; default {default.depth}")
    command.add_argument("--tile", type=int, metavar="N", help=f"input tile, in pixels; default {default.tile}")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help=f"length of the run in steps; default {default.steps}")
    length.add_argument("--minutes", type=float, metavar="M", help="length of the run in minutes")
    command.add_argument(
        "--optimiser",
        choices=OPTIMISERS,
        help=f"gradient descent with momentum, or Adam; default {RECIPES['quick']['optimiser']}",
    )
    rates = f"default {LEARNING_RATES['adam']}, with sgd {LEARNING_RATES['sgd']}"
    command.add_argument("--learning-rate", type=float, metavar="R", help=rates)
    command.add_argument("--momentum", type=float, metavar="M", help=f"default {default.momentum}")
    command.add_argument(
        "--dropout-rate", type=float, metavar="P", help=f"at the bottom; default {default.dropout_rate}"
    )
    command.add_argument("--weights", choices=KINDS, help="of the loss; default auto: eq. 2 where cells are told apart")
    command.add_argument(
        "--augmentation",
        choices=AUGMENTATIONS,
        help="of the tiles: symmetries of the square; or elastic: any angle, bent, of other grey values; "
        f"default {default.augmentation}",
    )
    command.add_argument(
        "--normalisation",
        choices=SCOPES,
        help="of grey values: one for the dataset, or each image its own; default " + default.normalisation,
    )
    command.add_argument(
        "--device", choices=("cpu", "gpu"), help=f"default {default.device}; CUPY_TF32=1 in the environment allows TF32"
    )
    command.add_argument("--seed", type=int, metavar="N", help=f"of weights and tiles; default {default.seed}")
    command.add_argument("--out", metavar="DIR", help="run folder, new or empty; default runs/DATA-1, -2, ...")
    command.add_argument(
        "--resume", action="store_true", help="continue the run in --out, after Ctrl-C or with more --steps"
    )


def _add_predict(commands) -> None:
    example = "minunet predict cells.png, or minunet predict runs/em/checkpoint.npz slice.png --rotations 8"
    command = _add(commands, "predict", "write probabilities and classes of images of any size", example)
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="checkpoint.npz of a run; without one, a network trained on synthetic cells. Then image files; a stack "
        "gives a result a page",
    )
    command.usage = "minunet predict [CHECKPOINT] IMAGE ... [--out DIR] [--tile N] [--rotations {1,4,7,8}]"
    command.add_argument("--out", default="predictions", metavar="DIR", help="default predictions")
    _add_prediction_options(command)


def _add_evaluate(commands) -> None:
    example = "minunet evaluate runs/em/checkpoint.npz --data isbi:DIR"
    command = _add(commands, "evaluate", "measure a network on held-out images, beside the majority class", example)
    command.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="checkpoint.npz of a run; default: a network trained on synthetic cells",
    )
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; default: what it was trained on")
    command.add_argument(
        "--out",
        metavar="DIR",
        help="for metrics.json, contact_sheet.png, predictions.png; default runs/evaluation-DATA-1, -2, ...",
    )
    _add_prediction_options(command)


def _add_gradcheck(commands) -> None:
    command = _add(
        commands, "gradcheck", "check the gradients of every layer and a small U-Net", "minunet gradcheck conv2d unet"
    )
    command.add_argument("layers", nargs="*", metavar="LAYER", help="such as conv2d; default all")


def _add_summary(commands) -> None:
    command = _add(
        commands, "summary", "sizes, crops, parameters, FLOPs and memory (Fig. 1)", "minunet summary --input 572"
    )
    command.add_argument("--input", type=int, nargs="+", default=[572], metavar="N", help="size, or height and width")
    command.add_argument("--in-channels", type=int, default=1, metavar="N", help="default 1")
    command.add_argument("--num-classes", type=int, default=2, metavar="N", help="default 2")
    command.add_argument("--base-channels", type=int, default=64, metavar="N", help="default 64")
    command.add_argument("--depth", type=int, default=4, metavar="N", help="default 4")


def _add_bench(commands) -> None:
    example = "minunet bench --against torch"
    command = _add(commands, "bench", "time every 3x3 layer and a training step, and draw bench.png", example)
    command.add_argument("--input", type=int, default=572, metavar="N", help="size; default 572")
    command.add_argument("--base-channels", type=int, default=64, metavar="N", help="default 64")
    command.add_argument("--depth", type=int, default=4, metavar="N", help="default 4")
    command.add_argument("--device", choices=("cpu", "gpu"), help="default: cpu, and gpu where CuPy finds one")
    command.add_argument("--against", choices=("torch",), help="PyTorch beside it, in turn, in a process of its own")
    command.add_argument("--rounds", type=int, default=5, metavar="N", help="medians over so many; default 5")
    command.add_argument("--out", default="bench.png", metavar="FILE", help="the plot; default bench.png")


def _add_grade(commands) -> None:
    command = _add(
        commands, "grade", "grade the notebooks of a course, in a table", "minunet grade submissions --out week1.csv"
    )
    command.add_argument("folder", metavar="DIR", help="notebooks that students handed in, also in folders within")
    command.add_argument("--out", default="grades.csv", metavar="FILE", help="a new file; default grades.csv")
    command.add_argument("--seconds", type=float, default=60, metavar="S", help="time limit for a cell; default 60")


def _add_prediction_options(command) -> None:
    command.add_argument("--tile", type=int, metavar="N", help="input tile, in pixels; changes memory, not the result")
    command.add_argument(
        "--rotations",
        type=int,
        default=1,
        choices=COUNTS,
        help="average over quarter turns (4), turns by 360/7 degrees as in the paper (7) or all symmetries of the "
        "square (8); default 1",
    )


def _add(commands, name: str, what: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + ".", epilog=f"example: {example}"
    )
