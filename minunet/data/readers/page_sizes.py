"""How many pages a file of images has, and how large they are: read from its headers, before its pixels."""

import importlib.util
import math
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import Image

GREY = ("1", "L", "LA", "I", "F")  # how the names of Pillow's modes with one channel begin
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}  # of a pixel in Pillow's memory; in all other modes 4
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how TIFF and BigTIFF files begin


class PageSize(NamedTuple):
    """The size of a page, and of what is decoded to get it."""

    channels: int  # 3 for colours, though `read_pages` makes it 1 if they are grey
    height: int
    width: int
    decoded: int  # bytes: all samples of the page, in the depth of the file
    together: int  # bytes of all pages, if they are decoded together and stay in memory; else 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def reading(self) -> int:
        """Bytes that it takes to read the page: what is decoded, a copy of it, and the result in float32."""
        C, H, W = self.shape
        return max(self.together, self.decoded) + self.decoded + 4 * C * H * W


def page_sizes(path: str | Path) -> list[PageSize]:
    """Return the size of every page.

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


def _sizes_in_tiff(path) -> list[PageSize]:
    import tifffile

    with tifffile.TiffFile(path, is_ome=False) as file:
        pages = [file.pages[index] for index in range(len(file.pages))]
        sizes = [_size_of_tiff_page(page) for page in pages]
        if len(pages) == 1 and pages[0].size and not pages[0].subifds:  # a stack, or a volume, may be one page
            count = max(pages[0].imagedepth, file.series[0].size // pages[0].size)
            if count > 1:
                sizes = count * [sizes[0]._replace(together=count * sizes[0].decoded)]
    return sizes


def _size_of_tiff_page(page) -> PageSize:
    H, W, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    return PageSize(3 if samples >= 3 else 1, H, W, H * W * samples * math.ceil(page.bitspersample / 8), 0)


def _sizes_by_pillow(path) -> list[PageSize]:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # no pixels are read here
    try:
        sizes = []
        with Image.open(path) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                channels, (W, H) = 1 if image.mode.startswith(GREY) else 3, image.size
                sizes.append(PageSize(channels, H, W, _bytes_of_pixel(image) * H * W, 0))
        together = sum(size.decoded for size in sizes) if len(sizes) > 1 else 0
        return [size._replace(together=together) for size in sizes]
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _bytes_of_pixel(image: Image.Image) -> int:
    """Return how many bytes a pixel takes while it is decoded; of 16-bit colours each half is read on its own."""
    is_deep = any("16" in str(part[3]) for part in getattr(image, "tile", [])) and image.mode.startswith(("RGB", "LA"))
    return 2 * BYTES.get(image.mode, 4) if is_deep else BYTES.get(image.mode, 4)
