"""Mutants of images: bytes, chunks of PNG, and entries of a TIFF's directory."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.mutate import mutated_bytes
from fuzz.watch import MisreadError
from minunet import InputError
from minunet.data import read_image, read_labels, read_pages, read_stack

NUMBERS = [0, 1, 2, 3, 4, 7, 8, 16, 32, 64, 255, 256, 1000, 40_000, 65_535, 2**20, 2**31 - 1, 2**31, 2**32 - 1]
PNG = b"\x89PNG\r\n\x1a\n"


class Images:
    """Small images of many kinds, and a folder for mutants of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        rng = np.random.default_rng(0)
        grey, colour = rng.integers(0, 255, (20, 24), np.uint8), rng.integers(0, 255, (20, 24, 3), np.uint8)
        deep, real = rng.integers(0, 65535, (20, 24), np.uint16), rng.random((20, 24)).astype(np.float32)
        pages = [Image.fromarray(deep + page) for page in range(3)]
        self.files = {
            "grey.png": _saved(grey, "PNG"),
            "colour.png": _saved(colour, "PNG"),
            "deep.png": _saved(deep, "PNG"),
            "palette.png": _saved(Image.fromarray(colour).quantize(8), "PNG"),
            "grey.tif": _saved(grey, "TIFF"),
            "colour.tif": _saved(colour, "TIFF", compression="tiff_lzw"),
            "deep.tif": _saved(deep, "TIFF", compression="tiff_adobe_deflate"),
            "real.tif": _saved(real, "TIFF"),
            "stack.tif": _saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]),
            "colour.jpg": _saved(colour, "JPEG"),
            "grey.bmp": _saved(grey, "BMP"),
            "grey.gif": _saved(grey, "GIF"),
            "deep.pgm": b"P5 %d %d 65535\n" % deep.shape[::-1] + deep.astype(">u2").tobytes(),
        }

    def image(self, rng):
        """Return a function that reads a mutant, and judges what was read."""
        name = list(self.files)[rng.integers(len(self.files))]
        data = self.files[name]
        is_png, is_tiff, by_bytes = name.endswith(".png"), name.endswith(".tif"), rng.random() < 0.4
        if is_png and not by_bytes:
            data = _mutated_png(rng, data)
        elif is_tiff and not by_bytes:
            data = _mutated_tiff(rng, data)
        else:
            data = mutated_bytes(rng, data)
        read = [read_image, read_labels, read_pages, read_stack][rng.integers(4)]
        path = self.folder / name
        path.write_bytes(data)
        truth = self.files[name] if is_png and by_bytes else None  # a PNG has check sums
        return lambda: self._judge(path, read, truth)

    def _judge(self, path: Path, read, truth: bytes | None) -> None:
        try:
            result = read(path)
        except InputError as error:
            if str(path) not in str(error):
                raise MisreadError(f"an error that does not name the file: {error}") from error
            raise
        arrays = _arrays(result)
        if truth is not None:
            path.write_bytes(truth)
            if not all(map(np.array_equal, arrays, _arrays(read(path)))):
                raise MisreadError(f"{read.__name__} gave other pixels than those of the file before it was damaged")
        axes = 2 if read is read_labels else 3
        for x in arrays:
            if x.ndim != axes or x.size == 0 or not np.isfinite(x).all():
                raise MisreadError(f"{read.__name__} gave {x.dtype} {x.shape}")
            if read in (read_image, read_pages) and (x.dtype != np.float32 or len(x) not in (1, 3)):
                raise MisreadError(f"{read.__name__} gave {x.dtype} {x.shape}")


def _arrays(result) -> list[np.ndarray]:
    return [image for _, image in result] if isinstance(result, list) else [result]


def _saved(image, kind: str, **options) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _mutated_png(rng, data: bytes) -> bytes:
    """Return a PNG of which a chunk is changed, there twice, missing or elsewhere; its check sums are right."""
    chunks, position = [], len(PNG)
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    where, other = (int(x) for x in rng.integers(len(chunks), size=2))
    kind, content = chunks[where]
    match rng.integers(6):
        case 0:
            del chunks[where]
        case 1:
            chunks.insert(where, chunks[other])
        case 2:
            chunks[where], chunks[other] = chunks[other], chunks[where]
        case 3 | 4:  # width, height, depth, colour type, compression, filter, interlacing
            fields = list(struct.unpack(">IIBBBBB", chunks[0][1]))
            field = int(rng.integers(7))
            fields[field] = NUMBERS[rng.integers(len(NUMBERS))] % (2**32 if field < 2 else 256)
            chunks[0] = (chunks[0][0], struct.pack(">IIBBBBB", *fields))
        case _:
            chunks[where] = (kind, mutated_bytes(rng, content))
    written = [struct.pack(">I", len(x)) + k + x + struct.pack(">I", zlib.crc32(k + x)) for k, x in chunks]
    return PNG + b"".join(written)


def _mutated_tiff(rng, data: bytes) -> bytes:
    """Return a TIFF with one or two changed numbers in its first directory."""
    data = bytearray(data)
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    for _ in range(rng.integers(1, 3)):
        entry = start + 2 + 12 * int(rng.integers(count))
        number = NUMBERS[rng.integers(len(NUMBERS))]
        match rng.integers(5):
            case 0:
                data[entry : entry + 2] = struct.pack(
                    "<H", [256, 257, 258, 259, 262, 273, 277, 279, 284, 339][number % 10]
                )
            case 1:
                data[entry + 2 : entry + 4] = struct.pack("<H", number % 20)
            case 2:
                data[entry + 4 : entry + 8] = struct.pack("<I", number)
            case _:
                data[entry + 8 : entry + 12] = struct.pack("<I", number)
    return bytes(data)
