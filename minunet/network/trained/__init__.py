"""Trained networks: how they are stored, and those that come with minunet.

Each of these is a checkpoint, and a card, the .md file of the same name, says how it was trained.
"""

from pathlib import Path

from minunet.errors import InputError
from minunet.network.trained.checkpoint import Network, load_checkpoint, save_checkpoint

BUNDLED = {"cells": Path(__file__).with_name("cells.npz")}  # see cells.md


def load_network(name: str | Path) -> Network:
    """Return a trained network, which `predict` takes.

    Parameters
    ----------
    name : "cells" or a path
        "cells" comes with minunet: it finds nuclei and cells, above all bright ones on a dark ground. A path
        is that of a checkpoint, such as RUN/checkpoint.npz.

    Raises
    ------
    InputError
        If there is no such network, or the file cannot be read.
    """
    if not isinstance(name, (str, Path)):
        raise InputError(f"load_network needs the name of a network or a path, got a {type(name).__name__}")
    path = BUNDLED.get(str(name), Path(name))
    if path.is_dir() and (path / "checkpoint.npz").exists():
        raise InputError(f"expected a file, got the folder {path}; did you mean {path / 'checkpoint.npz'}?")
    if not path.exists():
        raise InputError(
            f"expected {' or '.join(BUNDLED)}, which comes with minunet, or the path of a checkpoint, found no file "
            f"{path}; `minunet train` writes RUN/checkpoint.npz"
        )
    return load_checkpoint(path).network


def save_network(path: str | Path, network: Network) -> None:
    """Write a network to an .npz file, for `load_network` and `minunet predict`; raise InputError if it is none."""
    if not isinstance(network, Network) or not isinstance(path, (str, Path)):
        raise InputError(
            f"save_network needs a path and a Network, got a {type(path).__name__} and a {type(network).__name__}; "
            'Network(params, "image") makes one of parameters'
        )
    save_checkpoint(path, network, config={})
