"""TIFF files, read by tifffile; and by Pillow's libtiff what tifffile leaves to its partner imagecodecs.

Without imagecodecs, tifffile reads what is stored as it is, or compressed by Deflate (zlib), PackBits or LZMA. libtiff
reads LZW, JPEG, CCITT and more, of the samples that Pillow keeps exactly: see `libtiff.py`. The rest needs imagecodecs,
which the extra `codecs` installs.
"""

import contextlib
import importlib.util
import logging
import math
import re
from collections.abc import Iterator

import numpy as np
import tifffile

from minunet.data.readers.libtiff import read_by_libtiff
from minunet.data.readers.planes import MOST_PIXELS, Pages, split_extra, too_large, upright
from minunet.errors import InputError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6  # the kinds of colour that tifffile reads
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, YCBCR: 3}
TO_RGB = {5, YCBCR, 8}  # CMYK, YCbCr, CIELAB: Pillow makes RGB of them
UNCOMPRESSED, JPEG = 1, 7
WITHOUT_IMAGECODECS = {1, 8, 32946, 32773, 34925}  # compressions: none, Deflate (two numbers), PackBits, LZMA
FLOATING_POINT = 3  # a predictor
THUMBNAIL, TRANSPARENCY = 1, 4  # bits of the tag NewSubfileType
ORIENTATION, COLOUR_MAP = 274, 320  # tags
NEEDED_TAGS = "256|257|258|259|262|266|273|277|278|279|284|317|320|322|323|324|325|338|339"
DAMAGE = rf"page offset|offset to page|tag list of page|circular reference|corrupted file|TiffTag ({NEEDED_TAGS}) "


def read_tiff(path, keep_palette: bool, any_size: bool) -> Pages:
    """Return the pages of a TIFF file in their order, and all planes of a stack or volume within one page."""
    arrays: list[np.ndarray] = []
    left_out: list[str] = []
    with _complaints_of_tifffile() as complaints, tifffile.TiffFile(path, is_ome=False) as file:
        pages = [file.pages[index] for index in range(len(file.pages))]
        for index, page in enumerate(pages):
            if index and page.subfiletype & (THUMBNAIL | TRANSPARENCY):
                left_out.append(f"page {index + 1} of {len(pages)}, a thumbnail or a mask")
                continue
            _check_page(page, f"page {index + 1} of {len(pages)}", path, any_size)
            if not all(page.databytecounts):
                left_out.append(f"parts of page {index + 1}, which are not in the file and read as 0")
            if _is_for_pillow(page):
                planes, extra = read_by_libtiff(path, index, page, keep_palette)
                arrays.append(planes)
                left_out += extra
                continue
            for planes in _planes(file, page):
                planes, extra = _colours(planes, page, keep_palette)
                arrays.append(upright(planes, page.tags.valueof(ORIENTATION, 1)))
                left_out += extra
        damage = [words for words in complaints if re.search(DAMAGE, words)]
    if damage or not pages:  # otherwise a cut-off stack would lose pages silently
        raise ValueError(*damage[:1] or ["no page can be found"])
    return Pages(arrays, left_out)


def _check_page(page, where: str, path, any_size: bool) -> None:
    """Raise an error if the page is blank, cut off, too large or holds no grey values or colours."""
    if not page.dataoffsets or not any(page.databytecounts) or 0 in page.shaped:
        raise InputError(f"{path}: expected an image on every page, got none on {where}; remove that page")
    last = max(start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=False))
    if page.compression != UNCOMPRESSED and last > page.parent.filehandle.size:  # of others tifffile says it
        raise ValueError(f"the file ends before {where} does")
    if page.planarconfig not in (1, 2):
        raise ValueError(f"{where} has a wrong tag PlanarConfiguration")
    if not page.is_contiguous and len(page.dataoffsets) < math.prod(page.chunked):  # tifffile would not fill the rest
        raise ValueError(f"{where} lacks some of its strips or tiles")
    pixels = page.imagelength * page.imagedepth * page.imagewidth
    if pixels > MOST_PIXELS and not any_size:
        raise too_large(path, f"{pixels:,} on {where}")
    if page.photometric not in {*COLOURS, *TO_RGB}:
        kind = getattr(page.photometric, "name", page.photometric)
        raise InputError(f"{path}: expected grey values or colours, got {kind} on {where}; save it as grey or RGB")
    if page.dtype is not None and page.dtype.kind == "c":
        raise InputError(
            f"{path}: expected real numbers, got complex ones on {where}; save their magnitude, for example"
        )


def _is_for_pillow(page) -> bool:
    """Tell if Pillow has to read a page: to convert its colours, or since a codec is missing."""
    if page.photometric in TO_RGB and not (page.photometric == YCBCR and page.compression == JPEG):
        return True
    if importlib.util.find_spec("imagecodecs"):
        return False
    has_codec = page.compression in WITHOUT_IMAGECODECS and page.predictor != FLOATING_POINT
    return not has_codec or page.bitspersample not in (1, 8, 16, 32, 64)


def _planes(file, page) -> np.ndarray:
    """Return the planes of a page as stored: (planes, samples, H, W)."""
    if len(file.pages) == 1 and file.series[0].size > page.size:  # ImageJ, for one, may store a stack as one page
        stored = file.series[0].asarray().reshape(-1, *page.shaped)
    else:
        stored = page.asarray(squeeze=False)[None]  # (1, separate samples, depth, H, W, interleaved samples)
    n, separate, depth, H, W, interleaved = stored.shape
    return stored.transpose(0, 2, 1, 5, 3, 4).reshape(n * depth, separate * interleaved, H, W)


def _colours(planes: np.ndarray, page, keep_palette: bool) -> tuple[np.ndarray, list[str]]:
    """Return the grey values or colours of planes (samples, H, W), and what was left out."""
    one = "its alpha" if any(page.extrasamples) else "an extra sample of each pixel"
    planes, left_out = split_extra(planes, COLOURS[page.photometric], one)
    if page.photometric == PALETTE:
        numbers = planes.astype(np.uint8) if planes.dtype == bool else planes
        planes = numbers if keep_palette else _palette(page.tags.valueof(COLOUR_MAP))[:, numbers[0]]
    elif planes.dtype == bool:
        planes = planes.astype(np.uint8) * np.uint8(255)
        if page.photometric == WHITE_IS_ZERO:
            planes = 255 - planes
    elif page.photometric == WHITE_IS_ZERO and planes.dtype.kind == "u":
        planes = planes.dtype.type(2**page.bitspersample - 1) - planes
    return planes, left_out


def _palette(numbers) -> np.ndarray:
    """Return the colour map, (3, colours), in 8 bits if that keeps all of it."""
    colours = np.reshape(numbers, (3, -1)).astype(np.uint16)
    high = colours >> 8
    is_8_bits = not (colours & 255).any() or (colours == high * 257).all()
    return high.astype(np.uint8) if is_8_bits else colours


@contextlib.contextmanager
def _complaints_of_tifffile() -> Iterator[list[str]]:
    """Yield a list that tifffile's complaints go to, and not to the screen."""
    complaints: list[str] = []
    logger, handler = logging.getLogger("tifffile"), logging.Handler(logging.ERROR)
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield complaints
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
