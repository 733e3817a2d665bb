"""A checkpoint: one .npz file with everything that prediction needs and, of a run, everything to go on training.

    params/encode.0.conv1.weight ...             the parameters, by their dotted names
    normalisation/mean, std, low, high           how grey values are normalised; none if each image has its own numbers
    optimiser_state/encode.0.conv1.weight ...    of a run only: the velocity or, with Adam, mean and square
    running/encode.0.norm1.mean ...              with batch normalisation only: the running averages
    correction/head.bias                         what the loss weights add to the logits, if anything
    about                                        JSON: format, version, config, history, scope of the normalisation;
                                                 statistics of the training images, where they are known; threshold
                                                 and split, which are 0.5 and 0.1 where they are not said

`load_checkpoint` makes the plain network that predicts of the parameters, the running averages and the correction.
In version 1 the optimiser's state was called velocity, and the scope of the normalisation was not said; version 3
brought batch normalisation and statistics. Older files are read, too.

Plain arrays and JSON, no pickle: reading a stranger's checkpoint cannot run a stranger's code.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.backend import Array, flatten, map_tree, to_host
from minunet.data.image_statistics import check_statistics
from minunet.data.normalisation import Normalisation, as_normalisation
from minunet.data.npz import read_npz
from minunet.errors import InputError
from minunet.files import replace_atomically
from minunet.metrics.chosen_threshold import check_threshold
from minunet.metrics.touching import SPLIT, check_split
from minunet.network.checks import check_is_plain, check_params, has_norm
from minunet.network.odds_correction import corrected
from minunet.network.trained.reading import (
    FORMAT,
    VERSION,
    read_about,
    read_folded,
    read_groups,
    read_normalisation,
    read_params,
    read_running,
    read_shift,
    read_state,
)


class Network(NamedTuple):
    """A trained network: what `predict` needs to know of it."""

    params: dict  # as from `init_unet`
    normalisation: Normalisation  # how the grey values of its training images were normalised
    statistics: dict | None = None  # what its training images look like; see `minunet/data/image_statistics.py`
    threshold: float = 0.5  # a pixel is cell where the probability of cell is above it: `probabilities[1] > threshold`
    split: float = SPLIT  # cells that touch are told apart where the probability falls by so much; see `label_cells`

    def __repr__(self) -> str:
        try:
            check_params(self.params)
            scope = as_normalisation(self.normalisation).scope
            check_threshold(self.threshold)
            check_split(self.split)
        except InputError as error:
            return f"Network(not usable: {error})"
        weights = flatten(self.params)
        channels = weights["encode.0.conv1.weight"].shape[1]
        classes, base_channels = weights["head.weight"].shape[:2]
        threshold = "" if self.threshold == 0.5 else f", threshold {self.threshold:g}"
        split = "" if self.split == SPLIT else f", split {self.split:g}"
        depth, count = len(self.params["encode"]), sum(x.size for x in weights.values())
        return (
            f"Network({channels} in, {classes} classes, {base_channels} base channels, depth {depth}, "
            f"{count:,} parameters, normalisation by {scope}{threshold}{split})"
        )


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    network: Network
    config: dict  # how the network was trained
    optimiser_state: dict | None  # this and the history are None if there is no run to resume
    history: list[dict] | None
    params: dict  # those of the training; the network's are made of these, `running` and `shift`
    running: dict  # empty without batch normalisation
    shift: np.ndarray | None  # (K,)


def save_checkpoint(
    path: str | Path,
    network: Network,
    config: dict,
    optimiser_state: dict | None = None,
    history: list[dict] | None = None,
    running: dict | None = None,
    shift: Array | None = None,
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    network : Network
    config : dict
        How the network was trained: numbers, strings and None.
    optimiser_state : as from the optimiser's `init`, optional
    history : list of dicts, optional
        State and history let a run be resumed; a checkpoint for prediction does without.
    running : dict, optional
        The running averages of a network whose parameters have batch normalisation.
    shift : array, (K,), optional
        What the loss weights add to the logits; see `network/correction.py`. The network's parameters are those before
        it is taken back.
    """
    check_params(network.params)
    check_statistics(network.statistics)
    check_threshold(network.threshold)
    check_split(network.split)
    if has_norm(network.params) != bool(running):
        check_is_plain(network.params)
        raise InputError("running averages need parameters with batch normalisation, got those of a plain network")
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"a checkpoint must end with .npz, got {path}; try {path}.npz")
    numbers = as_normalisation(network.normalisation)._asdict()
    scope = numbers.pop("scope")
    groups = {
        "params": network.params,
        "normalisation": {name: x for name, x in numbers.items() if x is not None},
        "optimiser_state": optimiser_state or {},
        "running": running or {},
        "correction": {} if shift is None else {"head.bias": shift},
    }
    about = {"format": FORMAT, "version": VERSION, "config": config, "history": history, "normalisation": scope}
    if network.statistics is not None:
        about["statistics"] = network.statistics
    about |= {"threshold": float(network.threshold), "split": float(network.split)}
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
    for group, tree in groups.items():
        arrays.update({f"{group}/{name}": x for name, x in flatten(map_tree(to_host, tree)).items()})
    replace_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Return what a checkpoint holds, on the host.

    Raises
    ------
    InputError
        If the file is missing, truncated, no checkpoint of minunet, or written by a newer version; if anything in it is
        missing, too much, of another type or shape, or no finite number.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a checkpoint, found no file {path}; `minunet train` writes RUN/checkpoint.npz")
    arrays = read_npz(path, what="a checkpoint of minunet")
    about = read_about(arrays, path)
    groups = read_groups(arrays, about["version"], path)
    params = read_params(groups["params"], path)
    channels = params["encode"][0]["conv1"]["weight"].shape[1]
    normalisation = read_normalisation(groups["normalisation"], about.get("normalisation"), channels, path)
    state = read_state(groups["optimiser_state"], groups["params"], path)
    running = read_running(groups["running"], groups["params"], path)
    shift = read_shift(groups["correction"], groups["params"], path)
    predicting = corrected(read_folded(params, running, path), shift)
    chosen = {name: about[name] for name in ("statistics", "threshold", "split") if name in about}
    network = Network(predicting, normalisation, **chosen)
    return Checkpoint(network, about["config"], state, about["history"], params, running, shift)
