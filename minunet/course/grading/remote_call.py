"""A call of a student's function in another process: what travels there, and what comes back.

The grader sends pickles. What comes back is JSON and the plain bytes of arrays, and is never unpickled, since a pickle
can run code. An array of the arguments that the function changed comes back changed, and a result that shares memory
with an argument shares it again, so that `check` sees what it would have seen in one process.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from minunet.backend import flatten

LARGEST = 200_000_000  # bytes of one reply
LONGEST_TEXT = 500  # characters of an error's message


class BrokenReplyError(Exception):
    """A reply that the student's process cannot have made in good faith, or that is too large."""


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Write a length and as many bytes."""
    stream.write(struct.pack(">Q", len(data)) + data)
    stream.flush()


def read_frame(stream: BinaryIO, largest: int | None = None) -> bytes | None:
    """Return the bytes of one frame, or None at the end of the stream; raise BrokenReplyError if it is too large."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack(">Q", head)
    if largest is not None and length > largest:
        raise BrokenReplyError(f"returns more than {largest:,} bytes")
    data = stream.read(length)
    return data if len(data) == length else None


def pack(header: dict, arrays: Sequence[np.ndarray] = ()) -> bytes:
    """Return a reply: a line of JSON, then the bytes of the arrays."""
    head = {**header, "arrays": [(x.dtype.str, x.shape) for x in arrays]}
    return b"\n".join([json.dumps(head).encode(), b"".join(np.ascontiguousarray(x).tobytes() for x in arrays)])


def unpack(data: bytes) -> tuple[dict, list[np.ndarray]]:
    """Return the header and the arrays of a reply; raise BrokenReplyError if it is anything else."""
    try:
        line, _, rest = data.partition(b"\n")
        header, arrays = json.loads(line), []
        for kind, shape in header["arrays"]:
            dtype = np.dtype(kind)
            if dtype.kind not in "biufc":
                raise ValueError(f"an array of {dtype}")
            size = dtype.itemsize * int(np.prod([int(n) for n in shape], dtype=object))
            if size > len(rest):
                raise ValueError("an array with more numbers than came")
            arrays.append(np.frombuffer(rest[:size], dtype).reshape(shape).copy())
            rest = rest[size:]
        return header, arrays
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise BrokenReplyError("sends a reply that cannot be read") from error


def pack_result(result: Any, args: tuple) -> tuple[dict, list[np.ndarray]]:
    """Describe, in the student's process, what a function returned and what it left in its arguments."""
    before = _arrays(args)
    many = isinstance(result, (tuple, list))
    header: dict[str, Any] = {"many": many, "after": list(before), "results": []}
    arrays = list(before.values())
    for value in result if many else [result]:
        what, array = _describe(value, before)
        header["results"].append(what)
        arrays += [] if array is None else [array]
    return header, arrays


def unpack_result(header: dict, arrays: list[np.ndarray], args: tuple) -> Any:
    """Return, in the grader's process, what the function returned; change `args` in place as the function did."""
    try:
        count = len(header["after"])
        own = _arrays(args)
        for name, array in zip(header["after"], arrays[:count], strict=True):
            if name in own and not _same(own[name], array):
                own[name][...] = array
        rest = iter(arrays[count:])
        results = tuple(_rebuild(what, rest, own) for what in header["results"])
        return results if header["many"] else results[0]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, StopIteration) as error:
        raise BrokenReplyError("changes an argument's shape, or sends a reply that cannot be read") from error


def _describe(value: Any, args: dict[str, np.ndarray]) -> tuple[dict, np.ndarray | None]:
    """Return how to rebuild a value, and the array that is needed for it, if any."""
    if value is None or value is Ellipsis:
        return {"is": repr(value)}, None
    if isinstance(value, np.ndarray):
        for name, array in args.items():
            is_same_kind = value.dtype == array.dtype and array.flags.c_contiguous
            if value.size and is_same_kind and np.may_share_memory(value, array):
                offset = value.__array_interface__["data"][0] - array.__array_interface__["data"][0]
                view = {"offset": offset, "strides": value.strides, "shape": value.shape}
                return {"is": "view", "of": name, "whole": value.shape == array.shape and offset == 0, **view}, None
    try:
        array = np.asarray(value)
    except Exception:  # lists of different lengths, or a class with an __array__ that fails
        return {"is": "other", "type": type(value).__name__}, None
    if array.dtype.kind not in "biufc":
        return {"is": "other", "type": type(value).__name__}, None
    return {"is": "list" if isinstance(value, (list, tuple)) else "array"}, array


def _rebuild(what: dict, rest: Any, args: dict[str, np.ndarray]) -> Any:
    match what["is"]:
        case "None":
            return None
        case "Ellipsis":
            return Ellipsis
        case "array":
            array = next(rest)
            return array if array.ndim else array[()]  # a number stays a number
        case "list":
            return next(rest).tolist()
        case "view":
            base = args[what["of"]]
            if what["whole"] and tuple(what["strides"]) == base.strides:
                return base
            return np.ndarray(what["shape"], base.dtype, base, what["offset"], what["strides"])
    name = "".join(c for c in str(what["type"])[:40] if c.isalnum() or c == "_") or "object"
    return type(name, (), {})()  # an object that `check` calls "a NAME"


def _arrays(args: tuple) -> dict[str, np.ndarray]:
    return {name: x for name, x in flatten(args).items() if isinstance(x, np.ndarray) and x.dtype.kind in "biufc"}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
