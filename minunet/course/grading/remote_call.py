"""A call of a student's function in another process: arguments and results travel as files.

The grader writes the arguments as a pickle. What comes back is read as plain arrays and never unpickled, since a
pickle can run code. Arguments that the function changed in place come back too, so that the caller sees what it would
have seen in one process.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from minunet.backend import flatten

LARGEST_REPLY = 200_000_000  # bytes


def answer(function, question: str, reply: str) -> None:
    """Call `function` with the arguments in the file `question`, and write what it returns to the file `reply`.

    This runs in the student's process.
    """
    args = pickle.loads(Path(question).read_bytes())
    result = function(*args)
    is_many = isinstance(result, (tuple, list))
    entries: dict[str, Any] = {"is_many": is_many, "is_none": result is None, **_after(args)}
    for i, value in enumerate(result if is_many else (result,)):
        entries[f"result.{i}"] = np.asarray(value)
    np.savez(reply, **entries)


def read_reply(reply: Path, args: tuple):
    """Return what the function returned, and change `args` in place as the function did.

    This runs in the grader's process.

    Raises
    ------
    ValueError
        If the reply holds anything but arrays of numbers, or is too large.
    """
    if reply.stat().st_size > LARGEST_REPLY:
        raise ValueError(f"it returns more than {LARGEST_REPLY:,} bytes")
    with np.load(reply, allow_pickle=False) as file:
        is_none, is_many = bool(file["is_none"]), bool(file["is_many"])
        # the result None is stored as an object, which only pickle could read, so it is left alone
        stored = {name: file[name] for name in file.files if not (is_none and name == "result.0")}
    for name, array in _arrays(args).items():
        if not np.array_equal(array, stored[f"after.{name}"]):
            array[...] = stored[f"after.{name}"]
    if is_none:
        return None
    count = sum(name.startswith("result.") for name in stored)
    results = tuple(stored[f"result.{i}"] for i in range(count))
    return results if is_many else results[0]


def limit_memory(gibibytes: float) -> None:
    """Limit the memory of this process, where the operating system can do that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = int(gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _arrays(args: tuple) -> dict[str, np.ndarray]:
    return {name: x for name, x in flatten(args).items() if isinstance(x, np.ndarray)}


def _after(args: tuple) -> dict[str, np.ndarray]:
    return {f"after.{name}": x for name, x in _arrays(args).items()}
