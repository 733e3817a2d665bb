"""Arrays from an .npz file that a stranger may have made: plain numbers and text, no larger than their file.

An .npz file is a zip archive with an .npy file for each array: a header that says dtype and shape, then the numbers.
A header of 100 bytes may promise a terabyte, and a zip file of a kilobyte may unpack to one. So each header is read
first, and an array only if its file holds just the bytes that the header promises.
"""

import math
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO

import numpy as np

from minunet.errors import InputError, shown

KINDS = "biufU"  # of dtypes: no objects, whose pickles could run code, and no dates or complex numbers
ALWAYS = 2**28  # bytes that all arrays may have together, however small their file is,
PACKED = 20  # or so many times its size: a network's weights can hardly be packed, its zeros can
MOST = 10_000  # arrays
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | Path, what: str = "an .npz file") -> dict[str, np.ndarray]:
    """Return the arrays of a file by their names: each C-contiguous, writable, and in this machine's byte order.

    `what` says in an error what was expected.

    Raises
    ------
    InputError
        If the file is not there, is damaged or no .npz file, holds anything but numbers and text, or its arrays would
        need far more memory than the file's size tells.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected {what}, found no file {path}; check the path")
    try:
        with warnings.catch_warnings(), open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            warnings.simplefilter("error")  # NumPy's, about headers that no NumPy of today writes
            members = archive.infolist()
            _check_members(members, path)
            return {_name(member): _read(archive, member, path) for member in members}
    except (InputError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds for a damaged file
        raise InputError(
            f"expected {what}, got {path}, which is truncated or of another kind ({type(error).__name__}); take "
            "an intact copy"
        ) from error


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > MOST:
        raise InputError(f"{path}: expected at most {MOST:,} arrays, got {len(members)}; take an intact copy")
    [(name, count)] = Counter(_name(member) for member in members).most_common(1) or [("", 0)]
    if count > 1:
        raise InputError(f"{path}: expected each array once, got {shown(name)} {count} times; take an intact copy")
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > max(ALWAYS, PACKED * size):
        raise InputError(
            f"{path}: expected arrays of at most {PACKED} times the size of their file, got {unpacked:,} bytes "
            f"in {size:,}; write it with numpy.savez, which packs nothing"
        )


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    with archive.open(member) as file:
        _check_header(file, member, path)
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    return np.require(array, array.dtype.newbyteorder("="), ["C", "W"])


def _check_header(file: IO[bytes], member: zipfile.ZipInfo, path: Path) -> None:
    """Raise unless the header is that of numbers or text, and promises just the bytes that follow."""
    shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
    if dtype.kind not in KINDS:
        raise InputError(f"{path}: expected numbers in {shown(_name(member))}, got {dtype}; take an intact copy")
    promised, there = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
    if min(shape, default=0) < 0 or promised != there:
        raise InputError(
            f"{path}: expected a header for the {there:,} bytes of {shown(_name(member))}, got one for {dtype} "
            f"{shown(shape)}; take an intact copy"
        )
