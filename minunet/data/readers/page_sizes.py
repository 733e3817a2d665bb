"""How many pages a file of images has, and how large they are: read from its headers, before its pixels."""

import importlib.util
import warnings
from pathlib import Path

from PIL import Image

GREY = ("1", "L", "LA", "I", "F")  # how the names of Pillow's modes with one channel begin
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how TIFF and BigTIFF files begin


def page_sizes(path: str | Path) -> list[tuple[int, int, int]]:
    """Return (C, H, W) of every page; C is 3 for colours, though `read_pages` makes it 1 if they are grey.

    The list is empty if the headers cannot be read. `read_pages` then says why.
    """
    try:
        with open(path, "rb") as file:
            is_tiff = file.read(4) in TIFF
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; the reader says what matters
            return _sizes_in_tiff(path) if is_tiff and importlib.util.find_spec("tifffile") else _sizes_by_pillow(path)
    except Exception:  # damaged files raise a dozen kinds
        return []


def _sizes_in_tiff(path) -> list[tuple[int, int, int]]:
    import tifffile

    with tifffile.TiffFile(path, is_ome=False) as file:
        pages = [file.pages[index] for index in range(len(file.pages))]
        sizes = [(3 if page.samplesperpixel >= 3 else 1, page.imagelength, page.imagewidth) for page in pages]
        if len(pages) == 1 and pages[0].size:  # a stack of ImageJ, or a volume, may be one page
            sizes *= max(pages[0].imagedepth, file.series[0].size // pages[0].size)
    return sizes


def _sizes_by_pillow(path) -> list[tuple[int, int, int]]:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # no pixels are read here
    try:
        sizes = []
        with Image.open(path) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                sizes.append((1 if image.mode.startswith(GREY) else 3, image.height, image.width))
        return sizes
    finally:
        Image.MAX_IMAGE_PIXELS = limit
