"""Checks of the network's arguments; each error says what was expected, what came, and the remedy."""

from typing import Any

import numpy as np

from minunet.backend import Array, Params, check_same_device
from minunet.errors import InputError
from minunet.layers.checks import check_axes
from minunet.network.sizes import is_whole_number, trace


def check_network_size(rng: Any, dtype: Any, **numbers: Any) -> None:
    """Raise unless `init_unet` can make a network: `numbers` are its channels, classes and depth."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"init_unet needs a numpy.random.Generator, got {rng!r}; pass np.random.default_rng(seed)")
    check_numbers(**numbers)
    if not _is_floating(dtype):
        raise InputError(
            f"dtype must be a type of floating-point numbers, got {dtype!r}; use numpy.float32 to train, "
            "numpy.float64 to check gradients"
        )


def check_numbers(**numbers: Any) -> None:
    """Raise unless the channels, classes and depth of a network are whole numbers of at least 1."""
    for name, number in numbers.items():
        if not is_whole_number(number) or number < 1:
            raise InputError(
                f"{name} must be a whole number of at least 1, got {number!r}; leave it out for the paper's network"
            )


def check_input(params: Params, x: Array) -> None:
    """Raise unless the network with these parameters can take x (N, C, H, W)."""
    check_axes(x, "x", "N, C, H, W")
    depth = len(params["encode"])
    for size, axis in zip(x.shape[2:], ("height", "width"), strict=True):
        trace(size, depth, axis)
    weight = params["encode"][0]["conv1"]["weight"]
    check_same_device(params=weight, x=x)
    expected = weight.shape[1]
    if x.shape[1] != expected:
        raise InputError(
            f"the network takes C={expected} channels, got x {x.shape} with C={x.shape[1]}; "
            "init_unet(in_channels=...) makes one for other channels"
        )


def _is_floating(dtype: Any) -> bool:
    try:
        return np.dtype(dtype).kind == "f"
    except TypeError:  # not the name of a type
        return False
