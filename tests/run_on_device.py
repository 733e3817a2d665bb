"""The tests of another file once more, with minunet's functions on the device: arguments go there, results come back.

globals().update(on_device("layers/test_layers"))
"""

import functools
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np

import minunet
from minunet.backend import array_module, flatten, map_tree, to_device


def on_device(name: str, only: tuple[str, ...] | None = None) -> dict:
    """Return what a test module defines, executed with `minunet` replaced; `only` names the tests to keep."""
    spec = importlib.util.spec_from_file_location(f"{Path(name).name}_on_device", Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["minunet"] = _minunet_on_device()
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules["minunet"] = minunet
    found = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    missing = set(only or ()) - set(found)
    assert not missing, f"{name} has no {missing}"
    return {key: x for key, x in found.items() if only is None or not key.startswith("test_") or key in only}


def _minunet_on_device() -> types.ModuleType:
    module = types.ModuleType("minunet")
    module.__dict__.update(vars(minunet))
    for name, function in vars(minunet).items():
        if name.endswith(("_forward", "_backward")) or name == "predict":
            setattr(module, name, _moving(function))
    return module


def _moving(function):
    @functools.wraps(function)
    def there(*args, **kwargs):
        is_at_home = any(isinstance(x, np.ndarray) for x in flatten([args, kwargs]).values())
        moved_args, moved_kwargs = to_device((args, kwargs), "gpu")
        result = function(*moved_args, **moved_kwargs)
        if function.__name__ != "predict":
            map_tree(_check_is_on_device, result)
        return to_device(result, "cpu") if is_at_home else result

    return there


def _check_is_on_device(x) -> None:
    assert array_module(x).__name__ == "cupy", f"{x.dtype} {x.shape} has left the device"
