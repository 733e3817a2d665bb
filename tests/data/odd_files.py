"""Small odd image files, written as no program would write them but as people bring them; and what they hold."""

import struct
import zlib

import numpy as np
import tifffile

LABELS = np.array([[0, 1, 255, 256], [299, 3, 2, 1], [7, 7, 0, 5]])  # (3, 4)
SMALL = LABELS % 4  # fit in 2 bits
COLOUR = np.stack([LABELS, LABELS[::-1], LABELS + 60000], axis=-1)  # (3, 4, 3), 16 bits


def tiff(path, array, **options):
    tifffile.imwrite(path, array, **options)
    return path


def png(path, rows, bits, kind, extra=(), after=()):
    """Write rows of bytes as a PNG: `kind` is 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.

    `extra` and `after` are chunks, (name, data), before and after those of the pixels.
    """
    H, width = len(rows), 8 * len(rows[0]) // (bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind])
    parts = [(b"IHDR", struct.pack(">2I5B", width, H, bits, kind, 0, 0, 0)), *extra]
    parts += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), *after, (b"IEND", b"")]
    chunks = [struct.pack(">I", len(b)) + name + b + struct.pack(">I", zlib.crc32(name + b)) for name, b in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def png16(path, samples, kind, **options):
    return png(path, [row.astype(">u2").tobytes() for row in samples], 16, kind, **options)


def raw_tiff(path, data, shape, more=()):
    """Write data as a TIFF with one strip; `more` are tags (number, value, or type and count and value) besides."""
    H, W = shape
    tags = {256: W, 257: H, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: H, 279: len(data)} | dict(more)
    data += bytes(len(data) % 2)
    tags = {tag: value if isinstance(value, tuple) else (4, 1, value) for tag, value in sorted(tags.items())}
    entries = [struct.pack("<HHII", tag, *value) for tag, value in tags.items()]
    header = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    path.write_bytes(header + data + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    return path
