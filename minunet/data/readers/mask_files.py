"""A mask as its file has it: numbers, colours, or the numbers of a palette; `masks.py` says what they mean."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from minunet.data.readers.image_files import one_page, read_labels
from minunet.data.readers.kinds import kind_of
from minunet.errors import InputError


class Mask(NamedTuple):
    """A mask as it is stored."""

    values: np.ndarray  # (H, W) integers; a colour is 65536 R + 256 G + B
    is_colour: bool
    palette: np.ndarray | None  # (256,) the colour of each value, if the file has a palette with colours
    known: np.ndarray | None = None  # (H, W) bool, False where the value means nothing, see `void.py`; None: all known


def read_mask(path) -> Mask:
    """Return the mask in a file. Of a palette with grey values only, it has these; of any other, the stored numbers."""
    if kind_of(path) == "JPEG":
        raise InputError(f"{path}: expected a mask with exact values, got JPEG, which blurs; save it as PNG")
    palette = _palette(path)
    page = one_page(path, keep_palette=True)  # (C, H, W)
    if len(page) == 1 and palette is None:
        return Mask(read_labels(path) if page.dtype.kind == "f" else page[0], False, None)
    if palette is not None and len(page) == 1:
        greys = palette & 255
        if np.array_equal(palette[np.unique(page)], 0x10101 * greys[np.unique(page)]):
            return Mask(greys[page[0]], False, None)
        return Mask(page[0], False, palette)
    if page.dtype != np.uint8:
        raise InputError(f"{path}: expected a grey mask, or colours of 8 bits, got {page.dtype}; save it as 8 bits")
    return Mask(page[0].astype(np.int64) << 16 | page[1].astype(np.int64) << 8 | page[2], True, None)


def _palette(path) -> np.ndarray | None:
    """Return the colour of each of 256 numbers; None for a file without a palette, or a TIFF."""
    if kind_of(path) not in ("PNG", "GIF", "BMP"):
        return None
    try:
        with Image.open(path) as image:
            colours = image.getpalette("RGB") if image.mode in ("P", "PA") else None
    except Exception:  # a damaged file, which `one_page` names
        return None
    if not colours:
        return None
    red, green, blue = np.array(colours + [0] * (768 - len(colours)), np.int64).reshape(256, 3).T
    return red << 16 | green << 8 | blue
