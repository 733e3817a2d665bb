"""Which images a network is measured on: the held-out ones of the data that it was trained on, or all of other data."""

import os
from pathlib import Path

from minunet.data import Dataset, load_data
from minunet.data.readers.classes import OtherValuesError
from minunet.data.readers.hold_out import NONE
from minunet.data.readers.load import OPTIONS
from minunet.errors import InputError
from minunet.training.config import Config, reading_of
from minunet.training.memory import check_reading


def data_to_measure(config: Config, data: str, options: dict) -> tuple[Dataset, str]:
    """Return a data set whose `validation` is to be measured, and in words which images these are.

    Parameters
    ----------
    config : Config
        Of the run that trained the network.
    data : str
        What to measure on, as for `load_data`.
    options : dict
        How to read it; for what is None, as it was read when the network was trained.
    """
    check_reading(data)
    kind = data.partition(":")[0]
    given = {name: value for name, value in options.items() if value is not None}
    if "labels" in given or "classes" in given:
        config = config._replace(labels="auto", classes=None)
    if "labels" in given:
        config = config._replace(void=None)  # numbers of cells may be the same as that of what is void elsewhere
    as_trained = {name: value for name, value in reading_of(config).items() if name in OPTIONS.get(kind, ())}
    same = _files(data) == _files(config.data)
    if data == "synthetic" or same:
        dataset = load_data(data, config.seed, **{**as_trained, **given})
        if data == "synthetic" and not same:
            return dataset, f"{_count(dataset.validation)} of {data}"
        return dataset, (
            f"the {_count(dataset.validation, 'held-out ')} of {data}; on the other {len(dataset.train)} the network "
            "was trained"
        )
    as_trained.pop("field_of_interest", None)  # which is that of other data
    if as_trained.get("labels") == "guess":
        del as_trained["labels"]
    try:
        dataset = load_data(data, config.seed, **{**as_trained, **given, "hold_out": NONE})
    except OtherValuesError as error:
        if "classes" in given:
            raise
        raise InputError(f"{error}; these classes are the run's, classes=... names those of these masks") from error
    seen = _seen(config, data)
    samples = [sample for sample in dataset.train if sample.name not in seen]
    if not samples:
        raise InputError(f"{data}: expected images that the network was not trained on, got none; name other data")
    dataset = dataset._replace(train=[], validation=samples)
    if len(seen) == 0:
        return dataset, f"all {_count(samples)} of {data}, other data than the network was trained on"
    return dataset, f"{_count(samples)} of {data}, on which the network was not trained; others it was trained on"


def _count(samples: list, kind: str = "") -> str:
    return f"{len(samples)} {kind}image{'' if len(samples) == 1 else 's'}"


def _files(data: str) -> tuple[str, Path]:
    """Return the kind of the data and the folder, however its path is written."""
    kind, _, directory = data.partition(":")
    folder = Path(os.path.expanduser(directory)).resolve()
    if kind == "dsb2018" and (folder / "stage1_train").is_dir():
        folder = folder / "stage1_train"
    return kind, folder


def _seen(config: Config, data: str) -> set[str]:
    """Return the names of the images in `data` that were trained on: one sequence of a ctc: set may be in both."""
    (kind, folder), (trained_kind, trained) = _files(data), _files(config.data)
    if kind != "ctc" or trained_kind != "ctc" or not (folder in trained.parents or trained in folder.parents):
        return set()
    return {sample.name for sample in load_data(config.data, config.seed, **reading_of(config)).train}
