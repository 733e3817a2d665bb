"""Write names.txt: what CuPy has, with the names of the arguments, read from its own wheel; no GPU is needed.

    python -m venv unpacked
    unpacked/bin/python -m pip install cupy-cuda13x==14.2.0 nvidia-cublas
    unpacked/bin/python tests/strict_cupy/make_names.py

A line is a dotted name, and the arguments of what can be called: cupy.sum(a, axis, dtype, out, keepdims). Names that
CuPy marks as private are left out.
"""

import importlib
import inspect
import re
from pathlib import Path

MODULES = (
    "cupy",
    "cupy.cuda",
    "cupy.cuda.cublas",
    "cupy.cuda.memory",
    "cupy.cuda.runtime",
    "cupy.lib.stride_tricks",
    "cupy.linalg",
    "cupy.random",
    "cupyx",
    "cupyx.scipy.ndimage",
)


def main() -> None:
    owners = {name: module_of(name) for name in MODULES}
    version = owners["cupy"].__version__
    owners["cupy.ndarray"] = owners["cupy"].ndarray
    lines = [line for prefix, owner in owners.items() for line in lines_of(prefix, owner)]
    Path(__file__).with_name("names.txt").write_text("\n".join([f"# CuPy {version}", *sorted(lines)]) + "\n")


def module_of(name: str):
    """Return the module of a dotted name, or what is an attribute of its package only, such as cupy.cuda.cublas."""
    package, _, child = name.rpartition(".")
    parent = importlib.import_module(package) if package else None
    return getattr(parent, child, None) or importlib.import_module(name)


def lines_of(prefix: str, owner) -> list[str]:
    names = [name for name in dir(owner) if not name.startswith("_") or (inspect.isclass(owner) and is_operator(name))]
    return [f"{prefix}.{name}{arguments(getattr(owner, name))}" for name in names]


def is_operator(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def arguments(value) -> str:
    """Return the names of the arguments in brackets; nothing if there are none or CuPy does not tell them."""
    if not callable(value) or isinstance(value, type):
        return ""
    try:
        names = [str(p.replace(default=p.empty, annotation=p.empty)) for p in signature(value)]
    except (TypeError, ValueError):
        names = from_the_docstring(value.__doc__ or "")
    return "" if names is None else f"({', '.join(name for name in names if name != 'self')})"


def signature(value):
    return inspect.signature(value).parameters.values()


def from_the_docstring(text: str) -> list[str] | None:
    """Return what the first line says, such as ndarray.sum(self, axis=None) or maximum(x1, x2, /, out=None, \\*)."""
    first_line = re.sub(r"[\[\]\\]", "", text.partition("\n\n")[0].replace("\n", " "))
    found = re.match(r"[\w.]+\((.*)\)", first_line)
    if not found:
        return None
    names = [re.split("[=:]", part)[0].split(" ")[-1] for part in found[1].split(",")]
    return [name for name in names if name.isidentifier() or re.fullmatch(r"\*{1,2}\w+", name)]


if __name__ == "__main__":
    main()
