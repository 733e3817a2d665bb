"""The pages of a TIFF file that tifffile cannot decode alone, by Pillow and its libtiff, where they keep the values."""

import contextlib
import os
from collections.abc import Iterator

import numpy as np
from PIL import Image

from minunet.data.readers.planes import GREY_STEPS, as_planes
from minunet.errors import InputError

UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8  # kinds of colour
EXACT = {  # (kind of colour, samples of a pixel, bits of a sample, sample format) of which Pillow keeps the values
    *((WHITE_IS_ZERO, 1, bits, UNSIGNED) for bits in (1, 2, 4, 8)),
    *((BLACK_IS_ZERO, 1, bits, UNSIGNED) for bits in (1, 2, 4, 8, 16)),
    *((PALETTE, 1, bits, UNSIGNED) for bits in (1, 2, 4, 8)),
    (BLACK_IS_ZERO, 1, 32, SIGNED),
    (BLACK_IS_ZERO, 1, 32, FLOAT),
    (BLACK_IS_ZERO, 2, 8, UNSIGNED),
    (RGB, 3, 8, UNSIGNED),
    (RGB, 4, 8, UNSIGNED),
    (CMYK, 4, 8, UNSIGNED),
    (YCBCR, 3, 8, UNSIGNED),
    (CIELAB, 3, 8, UNSIGNED),
}
COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946}  # of libtiff: none, CCITT, LZW, JPEG, Deflate, PackBits
JPEG = 7
PLAIN_ALPHA = (2,)  # other extra samples Pillow drops, or divides by


def read_by_libtiff(path, index: int, page, keep_palette: bool) -> tuple[np.ndarray, list[str]]:
    """Return a page, upright, (C, H, W), and what was left out; `page` is tifffile's, with the tags.

    Raises
    ------
    InputError
        If Pillow would change the values.
    """
    samples, bits = page.samplesperpixel, page.bitspersample
    kind = (page.photometric, samples, bits, page.sampleformat)
    if kind not in EXACT or page.compression not in COMPRESSIONS or page.extrasamples not in ((), PLAIN_ALPHA):
        raise InputError(_why_not(path, page))
    with silent_libtiff(), Image.open(path) as image:
        image.seek(index)
        planes, left_out = as_planes(image, keep_palette)
    if page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and bits in GREY_STEPS:
        planes = planes // np.uint8(GREY_STEPS[bits])
    return planes, left_out


def _why_not(path, page) -> str:
    compression = getattr(page.compression, "name", repr(page.compression))
    got = f"{page.samplesperpixel} samples of {page.bitspersample} bits with compression {compression}"
    if page.photometric in (CMYK, YCBCR, CIELAB) and page.compression != JPEG:
        colours = getattr(page.photometric, "name", repr(page.photometric))
        return f"{path}: expected 8 bits of a kind of colour other than RGB, got {colours}, {got}; save it as RGB"
    return (
        f"{path}: expected a TIFF that can be read without the package imagecodecs, got {got}; install it with "
        'python -m pip install "minunet[codecs]", or save the image without compression'
    )


@contextlib.contextmanager
def silent_libtiff() -> Iterator[None]:
    """Keep off the screen what libtiff writes there by itself, past Python."""
    screen = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)
