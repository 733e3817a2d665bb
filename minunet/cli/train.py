"""`minunet train`: train a network on your images or, with no options, on synthetic cells."""

import contextlib
import shlex
import time
from pathlib import Path

from minunet.backend import to_device
from minunet.cli.measure_and_save import measure_and_save
from minunet.cli.messages import print_error, print_line
from minunet.cli.shared_options import print_note
from minunet.cli.stopping import Stop, noticing_signals
from minunet.cli.train_and_save import train_and_save
from minunet.cli.train_options import add_options
from minunet.data import Dataset, load_data
from minunet.data.readers.hold_out import names_in_file
from minunet.data.sample import absent_classes
from minunet.errors import InputError
from minunet.scale.ranks import check_equal, ending_together, in_agreement, join_ranks
from minunet.training import run_folder
from minunet.training.batch import PAIR, Ranks, check_batch
from minunet.training.config import Config, reading_of, resolve
from minunet.training.memory import check_reading, check_run
from minunet.training.out_of_memory import name_a_tile_that_fits
from minunet.training.train import Run, is_over, start, train_steps

__all__ = ["EXAMPLE", "add_options", "run"]  # what `main.py` takes of each command

EXAMPLE = "minunet train --data folder:DIR --minutes 5 --out runs/mine"


def run(options) -> int:
    """Train a network, or continue a run. Under mpirun several processes share each batch, and rank 0 alone writes."""
    ranks = join_ranks()
    with ending_together(ranks), contextlib.ExitStack() as until_the_end:
        stop = until_the_end.enter_context(noticing_signals(ranks.rank == 0))
        with in_agreement(ranks):
            folder, run, dataset = _begin(options, ranks, until_the_end)
        with in_agreement(ranks):
            check_equal(ranks, vars(options), run.params, dataset)
        if ranks.rank == 0:
            return _train_and_evaluate(run, dataset, folder, stop, ranks)
        for _ in train_steps(run, dataset._replace(validation=[]), ranks=ranks):
            pass
    return 0


def _begin(options, ranks: Ranks, until_the_end: contextlib.ExitStack) -> tuple[Path, Run, Dataset]:
    """Return the folder of the run, which rank 0 holds until the end, the run and its data; nothing is written yet."""
    given = {name: value for name, value in vars(options).items() if name in Config._fields and value is not None}
    if "hold_out" in given:
        given["hold_out"] = names_in_file(given["hold_out"])
    if options.resume:
        folder = _folder_to_resume(_named_folder(options), given, options.recipe)
        if ranks.rank == 0 and folder.is_dir():
            until_the_end.enter_context(run_folder.made_and_held(folder))
        run = run_folder.resume_run(folder, **given)
        check_reading(run.config.data)
        dataset = load_data(run.config.data, run.config.seed, **reading_of(run.config))
    else:
        for_ranks = {"batch": PAIR * ranks.size} if ranks.size > 1 else {}
        config = resolve({**for_ranks, **given}, options.recipe or "quick")
        to_device((), config.device)  # refused before images are read, which can take long
        if ranks.rank == 0:  # a later rank would find the folder that rank 0 has made
            run_folder.check_out(options.out)
        check_reading(config.data)
        dataset = load_data(config.data, config.seed, **reading_of(config))
        config = config._replace(classes=dataset.classes, void=dataset.void)  # other masks may lack one of them
        with name_a_tile_that_fits(config, dataset):
            run = start(config, dataset)
    check_batch(run.config.batch, ranks, is_normalised=bool(run.running))
    check_run(run.config, dataset, run.params)
    if ranks.size > 1 and run.config.minutes is not None:
        raise InputError("under mpirun a run needs --steps, as each process has a clock of its own, got --minutes")
    if not options.resume:
        name = f"runs/{run.config.data.partition(':')[0]}"
        new = run_folder.new_folder(options.out, name) if ranks.rank == 0 else contextlib.nullcontext(Path(name))
        folder = until_the_end.enter_context(new)
    return folder, run, dataset


def _train_and_evaluate(run: Run, dataset: Dataset, folder: Path, stop: Stop, ranks: Ranks) -> int:
    """Train and evaluate; whatever ends it early, one line says where the run stands."""
    began, before = time.monotonic(), run.history[-1]["seconds"] if run.history else 0.0
    try:
        _train(run, dataset, folder, stop, ranks)
        if stop.signal is None:
            measure_and_save(run, dataset, folder)
            minutes = (run.history[-1]["seconds"] - before) / 60, (time.monotonic() - began) / 60
            print_line("{:.1f} minutes of training; with validation, measures and pictures {:.1f}".format(*minutes))
            return 0
        print_line(f"stopped after step {len(run.history)}; {_where_it_stands(folder)}")
    except KeyboardInterrupt:
        print_line(f"stopped at once; {_where_it_stands(folder)}")
    except InputError as error:
        step = run_folder.step_of_checkpoint(folder)
        kept = f"; step {step} is in the checkpoint in {folder}" if step else ""
        raise InputError(f"{error}{kept}") from error.__cause__ or error
    except OSError as error:
        raise OSError(f"{error}; {_where_it_stands(folder)}") from error
    ranks.abort(stop.exit_code)
    return stop.exit_code


def _train(run: Run, dataset: Dataset, folder: Path, stop: Stop, ranks: Ranks) -> None:
    if not run.history:
        run_folder.save_run(run, folder)
        _warn_of_absent_classes(dataset)
    print_note(dataset)
    print_line(f"{len(dataset.train)} images to train on, {len(dataset.validation)} held out; writing to {folder}")
    if is_over(run):
        print_line(
            f"nothing to train: the run is over, after step {len(run.history)}; a larger --steps or --minutes goes on"
        )
    weights = run_folder.weights_of_run(run.config, dataset.train, folder)
    with name_a_tile_that_fits(run.config, dataset):
        train_and_save(run, dataset, weights, lambda: run_folder.save_run(run, folder, dataset.validation), stop, ranks)


def _warn_of_absent_classes(dataset: Dataset) -> None:
    if absent := absent_classes(dataset):
        which = ", ".join(map(str, absent))
        print_error(
            f"minunet train: warning: no training image has a pixel of class {which}, which held-out images have; it "
            "cannot be learnt; hold out others with --hold-out"
        )


def _where_it_stands(folder: Path) -> str:
    """Return, in words, up to which step a run is kept, and how to go on."""
    step = run_folder.step_of_checkpoint(folder)
    if step is None:
        return f"there is no checkpoint in {folder}"
    how = f"minunet train --resume --out {shlex.quote(str(folder))}"
    return f"step {step} is in the checkpoint in {folder}; continue with: {how}"


def _named_folder(options) -> str | None:
    """Return the folder of the run to continue: that after --resume, or that of --out."""
    if options.resume is True:
        return options.out
    if options.out not in (None, options.resume):
        raise InputError(f"--resume continues one run, got {options.resume} and --out {options.out}; name one of them")
    return options.resume


def _folder_to_resume(out: str | None, given: dict, recipe: str | None) -> Path:
    """Return the folder; raise InputError if none is named, or an option would make it another run."""
    if out is None:
        raise InputError("--resume needs the folder of the run: minunet train --resume --out DIR")
    changed = [name for name in given if name not in ("steps", "minutes", "device")]
    if recipe:
        changed.append("recipe")
    if changed:
        names = ", ".join("--" + name.replace("_", "-") for name in sorted(changed))
        raise InputError(
            f"--resume continues a run as it was configured, got {names}; leave it out, or start a new run"
        )
    folder = Path(out)
    return folder.parent if folder.name == "checkpoint.npz" else folder
