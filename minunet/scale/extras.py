"""Packages that minunet can do without."""

import importlib
from types import ModuleType

from minunet.errors import InputError


def need(module: str, extra: str = "scale") -> ModuleType:
    """Return a module of an optional package; raise InputError, with the command that installs it, if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(
            f"this needs the package {package}, which cannot be imported ({error}); "
            f'install it with python -m pip install "minunet[{extra}]"'
        ) from error
