"""What the readers of every kind of image file share: a page as planes (C, H, W), upright, without its alpha."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from minunet.errors import InputError

ORIENTATIONS = {  # of TIFF and EXIF: the stored image is swapped, y with x, and then read backwards along y and x
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}
GREY_STEPS = {2: 85, 4: 17}  # Pillow spreads grey values of so many bits over 0 to 255, in steps of this size
TRANSPARENT_COLOUR = "which colour counts as transparent"
MOST_PIXELS = 178_956_970  # of a page, without any_size; the number is Pillow's
MOST_BYTES = 4 * MOST_PIXELS  # of a page, decoded


class Pages(NamedTuple):
    """What a file holds."""

    arrays: list[np.ndarray]  # (C, H, W) each, upright, in the dtype of the file
    left_out: list[str]  # what the file holds besides


def upright(planes: np.ndarray, orientation: int) -> np.ndarray:
    """Return planes (C, H, W) as a viewer shows them, by the orientation tag of TIFF and EXIF."""
    swapped, step_y, step_x = ORIENTATIONS.get(orientation, ORIENTATIONS[1])
    if swapped:
        planes = planes.swapaxes(1, 2)
    return planes[:, ::step_y, ::step_x]


def split_extra(planes: np.ndarray, colours: int, one: str = "its alpha") -> tuple[np.ndarray, list[str]]:
    """Return the first planes, the colours, and in words what the others are; an opaque alpha is nothing."""
    extra = planes[colours:]
    opaque = np.iinfo(extra.dtype).max if extra.dtype.kind in "iu" else 1
    if len(extra) == 0 or (len(extra) == 1 and (extra == opaque).all()):
        return planes[:colours], []
    what = one if len(extra) == 1 else f"{len(extra)} extra samples of each pixel"
    return planes[:colours], [what]


def too_large(path, pixels: str) -> InputError:
    """Return the error for a page of so many pixels that it may be meant to fill the memory."""
    return InputError(
        f"{path}: expected at most {MOST_PIXELS:,} pixels of 4 bytes, since a small file can unpack to more than "
        f"memory holds, got {pixels}; if you trust the file, any_size reads it, or cut it into parts"
    )


def as_planes(page: Image.Image, keep_palette: bool) -> tuple[np.ndarray, list[str]]:
    """Return an image of Pillow as planes (C, H, W), and what was left out."""
    left_out = []
    if "transparency" in page.info and page.mode in ("L", "I", "I;16", "RGB"):
        left_out.append(TRANSPARENT_COLOUR)
    if page.mode == "1":
        page = page.convert("L")  # 0 and 255
    elif page.mode in ("P", "PA") and not keep_palette:
        page = page.convert("RGBA" if page.mode == "PA" or "transparency" in page.info else "RGB")
    elif page.mode not in ("L", "LA", "P", "PA", "RGB", "RGBA") and not page.mode.startswith(("I", "F")):
        page = page.convert("RGB")  # CMYK, YCbCr, LAB, HSV
    array = np.atleast_3d(np.asarray(page)).transpose(2, 0, 1)  # (C, H, W)
    planes, extra = split_extra(array, len(array) - (page.mode in ("LA", "PA", "RGBA")))
    return planes, left_out + extra
