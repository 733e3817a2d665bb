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
from minunet.data.readers.planes import MOST_BYTES, MOST_PIXELS, split_extra, too_large, upright
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


def read_tiff(path, keep_palette: bool, any_size: bool) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield (planes, left out) for each page of a TIFF file, in their order, decoded one at a time.

    The planes are (C, H, W); of a stack or a volume within one page, each plane is a page. All headers are checked
    before the first page comes.
    """
    with contextlib.ExitStack() as until_the_end:
        left_out: list[str] = []
        with _raising_damage():  # otherwise a cut-off stack would lose pages silently
            file = until_the_end.enter_context(tifffile.TiffFile(path, is_ome=False))
            shown = list(_shown_pages(file, path, any_size, left_out))
        for index, page in shown:
            with _raising_damage():
                decoded = _decoded(file, path, index, page, keep_palette)
                decoded = [(planes, left_out + extra) for planes, extra in decoded]
            while decoded:
                yield decoded.pop(0)  # so that nothing here keeps it


def _shown_pages(file, path, any_size: bool, left_out: list[str]) -> Iterator[tuple[int, tifffile.TiffPage]]:
    """Yield (index, page) of each page that is an image; say in `left_out` what is not."""
    count = len(file.pages)
    if not count:
        raise ValueError("no page can be found")
    for index in range(count):
        page, where = file.pages[index], f"page {index + 1} of {count}"
        if index and page.subfiletype & (THUMBNAIL | TRANSPARENCY):
            left_out.append(f"{where}, a thumbnail or a mask")
            continue
        _check_page(page, where, path, any_size)
        if not all(page.databytecounts):
            left_out.append(f"parts of page {index + 1}, which are not in the file and read as 0")
        if page.subifds:
            left_out.append(f"the images within {where}, such as smaller versions")
        yield index, page


def _decoded(file, path, index: int, page, keep_palette: bool) -> list[tuple[np.ndarray, list[str]]]:
    """Return (planes, left out) of a page or, if several planes are stored as one page, of each."""
    if _is_for_pillow(page):
        return [read_by_libtiff(path, index, page, keep_palette)]
    result = []
    for stored in _planes(file, page):
        planes, extra = _colours(stored, page, keep_palette)
        result.append((upright(planes, page.tags.valueof(ORIENTATION, 1)), extra))
    return result


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
    size = math.ceil(page.bitspersample / 8) * page.samplesperpixel  # bytes of a pixel
    if pixels * size > MOST_BYTES and not any_size:
        raise too_large(path, f"{pixels:,} of {size} bytes on {where}")
    if page.photometric not in {*COLOURS, *TO_RGB}:
        kind = getattr(page.photometric, "name", repr(page.photometric))
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
    # ImageJ, for one, may store a stack as one page; of images within a page, tifffile may make a series, too
    if len(file.pages) == 1 and file.series[0].size > page.size and not page.subifds:
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
def _raising_damage() -> Iterator[None]:
    """Keep tifffile's complaints off the screen; raise ValueError if one of them is about damage."""
    complaints: list[str] = []
    logger, handler = logging.getLogger("tifffile"), logging.Handler(logging.ERROR)
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if damage := [words for words in complaints if re.search(DAMAGE, words)]:
        raise ValueError(damage[0])
