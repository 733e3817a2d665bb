"""A call of a student's function in another process: arguments and results travel as files.

The grader writes the arguments as a pickle. What comes back is read as plain arrays and never unpickled, since a
pickle can run code. Arguments that the function changed in place come back too, so that the caller sees what it would
have seen in one process.
"""

import pickle
from pathlib import Path

import numpy as np

from minunet.backend import flatten

LARGEST_REPLY = 200_000_000  # bytes


def answer(function, question: str, reply: str) -> None:
    """In the student's process: call `function` with the arguments in `question`, and write what it returns."""
    args = pickle.loads(Path(question).read_bytes())
    result = function(*args)
    is_many = isinstance(result, (tuple, list))
    arrays = {f"result.{i}": np.asarray(value) for i, value in enumerate(result if is_many else (result,))}
    np.savez(reply, is_many=is_many, is_none=result is None, **arrays, **_after(args))


def read_reply(reply: Path, args: tuple):
    """In the grader's process: return what the function returned, and change `args` as it did.

    Raises
    ------
    ValueError
        If the reply holds anything but arrays of numbers, or is too large.
    """
    if reply.stat().st_size > LARGEST_REPLY:
        raise ValueError(f"it returns more than {LARGEST_REPLY:,} bytes")
    with np.load(reply, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files if name != "result.0" or not file["is_none"]}
    for name, array in _arrays(args).items():
        if not np.array_equal(array, stored[f"after.{name}"]):
            array[...] = stored[f"after.{name}"]
    results = [stored[f"result.{i}"] for i in range(sum(name.startswith("result.") for name in stored))]
    return tuple(results) if stored["is_many"] else results[0] if results else None


def limit_memory(gibibytes: float) -> None:
    """Let this process take so much memory and no more, where the operating system can do that."""
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
