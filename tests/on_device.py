"""A test of the CPU, once more on the device: minunet's functions take their arguments there, and bring results back.

Tests ask for it by the fixture `device`, and call the functions as attributes of the package: `minunet.relu_forward`.
"""

import functools

import numpy as np

import minunet
from minunet.backend import array_module, flatten, map_tree, to_device


def move_the_layers_to_the_device(monkeypatch) -> None:
    """Replace each forward and backward pass of the package, and `predict`, until monkeypatch puts them back."""
    for name, function in list(vars(minunet).items()):
        if name.endswith(("_forward", "_backward")) or name == "predict":
            monkeypatch.setattr(minunet, name, _computed_on_the_device(function))


def _computed_on_the_device(function):
    """Return a function that moves its arguments to the device; the results come back if the arguments came from here.

    What the layers return must lie on the device; `predict` gives its result to the host, which is in its contract.
    """

    @functools.wraps(function)
    def moved(*args, **kwargs):
        came_from_the_host = any(isinstance(x, np.ndarray) for x in flatten([args, kwargs]).values())
        device_args, device_kwargs = to_device((args, kwargs), "gpu")
        result = function(*device_args, **device_kwargs)
        if function.__name__ != "predict":
            map_tree(_check_is_on_the_device, result)
        return to_device(result, "cpu") if came_from_the_host else result

    return moved


def _check_is_on_the_device(x) -> None:
    assert array_module(x).__name__ == "cupy", f"{x.dtype} {x.shape} has left the device"
