"""`minunet train`: train a network; with no options, on synthetic cells."""

import argparse
from pathlib import Path

from minunet.cli.progress_bar import train_with_bar
from minunet.cli.shared_options import DATA_HELP, print_note
from minunet.data import Dataset, load_data
from minunet.data.augment import AUGMENTATIONS
from minunet.data.normalisation import SCOPES
from minunet.data.weighting import KINDS
from minunet.errors import InputError
from minunet.metrics.table import table
from minunet.prediction.predict import predict_samples
from minunet.scale.ranks import check_equal, ending_together, in_agreement, join_ranks
from minunet.training import run_folder
from minunet.training.batch import Ranks, check_batch
from minunet.training.config import Config
from minunet.training.optimisers import LEARNING_RATES, OPTIMISERS
from minunet.training.out_of_memory import name_a_tile_that_fits
from minunet.training.recipes import RECIPES
from minunet.training.train import Run, prediction_tile, start, train_steps

HELP = "train a network; with no options, on synthetic cells"
EXAMPLE = "minunet train --data isbi:DIR --base-channels 16 --depth 3 --tile 220 --minutes 5 --out runs/em"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    default = Config()
    command.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; default {default.data}")
    command.add_argument("--recipe", choices=RECIPES, help="settings that belong together; the options below beat it")
    command.add_argument(
        "--base-channels", type=int, metavar="N", help=f"channels of level 0; default {default.base_channels}"
    )
    command.add_argument("--depth", type=int, metavar="N", help=f"number of poolings; default {default.depth}")
    command.add_argument("--tile", type=int, metavar="N", help=f"input tile, in pixels; default {default.tile}")
    command.add_argument(
        "--batch", type=int, metavar="N", help="tiles in a step; default 1, or with mpirun the number of processes"
    )
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


def run(options) -> int:
    """Train a network, or continue a run; write everything to the run folder. Under mpirun, rank 0 alone writes."""
    ranks = join_ranks()
    with in_agreement(ranks):
        folder, run, dataset = _begin(options, ranks)
    with in_agreement(ranks):
        check_equal(ranks, vars(options), run.params, dataset)
    with ending_together(ranks):
        if ranks.rank > 0:
            for _ in train_steps(run, dataset._replace(validation=[]), ranks=ranks):
                pass
            return 0
        return _train_and_evaluate(run, dataset, folder, ranks)


def _begin(options, ranks: Ranks) -> tuple[Path, Run, Dataset]:
    """Return the folder, the run and its data; nothing is written yet."""
    given = {name: value for name, value in vars(options).items() if name in Config._fields and value is not None}
    if "minutes" in given:
        given["steps"] = None
    if options.resume:
        folder = _folder_to_resume(options.out, given, options.recipe)
        if given.get("steps"):
            given["minutes"] = None
        run = run_folder.resume_run(folder, **given)
        dataset = load_data(run.config.data, run.config.seed)
    else:
        settings = {**RECIPES[options.recipe or "quick"], "batch": ranks.count, **given}
        config = Config(**settings)
        if "learning_rate" not in settings:
            config = config._replace(learning_rate=LEARNING_RATES[config.optimiser])
        folder = run_folder.new_folder(options.out, f"runs/{config.data.partition(':')[0]}")
        dataset = load_data(config.data, config.seed)
        with name_a_tile_that_fits(config, dataset):
            run = start(config, dataset)
    check_batch(run.config.batch, ranks)
    if ranks.count > 1 and run.config.minutes is not None:
        raise InputError("several processes need a number of steps, as their clocks differ, got minutes; give --steps")
    return folder, run, dataset


def _train_and_evaluate(run: Run, dataset: Dataset, folder: Path, ranks: Ranks) -> int:
    run_folder.save_run(run, folder)
    print_note(dataset)
    print(f"{len(dataset.train)} images to train on, {len(dataset.validation)} held out; writing to {folder}")

    weights = run_folder.weights_of_run(run.config, dataset.train, folder)
    with name_a_tile_that_fits(run.config, dataset):
        stopped = train_with_bar(run, dataset, weights, lambda: run_folder.save_run(run, folder), ranks)
    if stopped:
        print(f"stopped after step {len(run.history)}; continue with: minunet train --resume --out {folder}")
        ranks.abort(130)
        return 130
    choices = {"tile": prediction_tile(run.config), "progress": True}
    probabilities = predict_samples(run.params, run.normalisation, dataset.validation, **choices)
    print(table(run_folder.write_evaluation(dataset.validation, probabilities, folder)))
    print(f"look at {folder / 'contact_sheet.png'} and {folder / 'curves.png'}")
    return 0


def _folder_to_resume(out: str | None, given: dict, recipe: str | None) -> Path:
    """Return the folder; raise InputError if there is none, or `given` holds options that would make it another run."""
    if out is None:
        raise InputError("--resume needs the folder of the run: minunet train --resume --out DIR")
    changed = sorted(set(given) - {"steps", "minutes", "device"} | ({"recipe"} if recipe else set()))
    if changed:
        names = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise InputError(
            f"--resume continues a run as it was configured, got {names}; leave it out, or start a new run"
        )
    return Path(out)
