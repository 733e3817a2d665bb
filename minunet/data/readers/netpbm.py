"""PGM and PPM files with the values of the file, which Pillow would spread over 8 or 16 bits."""

import re
from pathlib import Path

import numpy as np

from minunet.data.readers.other_kinds import read_other
from minunet.data.readers.planes import Pages

GAP = rb"(?:\s|#[^\n]*\n)+"  # white space and comments
HEADER = re.compile(rb"P([2356])" + (GAP + rb"(\d+)") * 3 + rb"\s")  # kind, width, height, largest value
TEXT, COLOURS = (b"2", b"3"), (b"3", b"6")  # kinds


def read_netpbm(path, keep_palette: bool) -> Pages:
    """Return the image of a PGM or PPM file, written in bytes or as text."""
    data = Path(path).read_bytes()
    header = HEADER.match(data)
    if header is None:
        return read_other(path, keep_palette)
    kind = header[1]
    W, H, largest = (int(number) for number in header.groups()[1:])
    shape = (H, W, 3 if kind in COLOURS else 1)
    dtype = np.dtype(">u2" if largest > 255 else "u1")
    if kind in TEXT:
        samples = np.array(data[header.end() :].split(), int)[: np.prod(shape)]
    else:
        samples = np.frombuffer(data, dtype, np.prod(shape), offset=header.end())
    if samples.max() > largest:
        raise ValueError(f"the largest value is {samples.max()}, not at most {largest}")
    array = samples.reshape(shape).astype(dtype.newbyteorder("="))
    return Pages([array.transpose(2, 0, 1)], [])
