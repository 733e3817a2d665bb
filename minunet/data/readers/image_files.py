"""Images, stacks and label masks as arrays, read with Pillow; one line says what cannot be read."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from minunet.errors import InputError

GREY_MODES = {"L", "I", "I;16", "I;16L", "I;16B", "F"}
ALPHA_MODES = {"LA", "PA", "RGBA"}


def read_image(path: str | Path) -> np.ndarray:
    """Return the image in a file with a single page.

    Grey images of 8, 16 or 32 bits keep their values. Alpha is dropped, palettes are turned into colours, and colours
    that are grey everywhere become one channel.

    Returns
    -------
    image : float32 array, (C, H, W)
        C is 1 or 3.
    """
    return _one_page(path).astype(np.float32)


def read_pages(path: str | Path) -> list[tuple[str, np.ndarray]]:
    """Return (name, image) for every page of a file; the image as from `read_image`.

    The name is the file's, without the extension; if there are more pages, it is followed by the page's number.
    """
    pages, stem = _pages(path), Path(path).stem
    names = [stem] if len(pages) == 1 else [f"{stem}_{i:03d}" for i in range(len(pages))]
    return [(name, page.astype(np.float32)) for name, page in zip(names, pages, strict=True)]


def read_stack(path: str | Path) -> np.ndarray:
    """Return the pages of a grey TIFF in one array, (pages, H, W), with the values of the file."""
    pages = _pages(path)
    shapes = {page.shape for page in pages}
    if len(shapes) > 1:
        sizes = " and ".join(sorted(f"{H}x{W}" for _, H, W in shapes))
        raise InputError(f"{path}: expected pages of one size, got {sizes}; save each size in a file of its own")
    stack = np.stack(pages)  # (pages, C, H, W)
    if stack.shape[1] != 1:
        raise InputError(f"{path}: expected grey pages, got {stack.shape[1]} channels; convert the pages to grey")
    return stack[:, 0]  # (pages, H, W)


def read_labels(path: str | Path) -> np.ndarray:
    """Return the mask in a file, integers, (H, W); for an image with a palette, the stored numbers, not the colours."""
    mask = _one_page(path, keep_palette=True)
    if len(mask) != 1:
        raise InputError(f"{path}: expected a grey mask, got colours; save one number per pixel, 0 for background")
    mask = mask[0]  # (H, W)
    if mask.dtype.kind != "f":
        return mask
    if not np.array_equal(mask, np.round(mask)):
        raise InputError(f"{path}: expected whole numbers in a mask, got fractions; save it as 8 or 16 bits")
    return mask.astype(np.int64)


def _one_page(path, keep_palette: bool = False) -> np.ndarray:
    pages = _pages(path, keep_palette)
    if len(pages) > 1:
        raise InputError(f"{path}: expected one image, got {len(pages)} pages; save each page in a file of its own")
    return pages[0]


def _pages(path, keep_palette: bool = False) -> list[np.ndarray]:
    """Return every page of a file, (C, H, W) each, in the dtype of the file."""
    if not Path(path).is_file():
        raise InputError(f"{path}: expected an image file, found {_what_is_there(path)}; check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, common in files from microscopes
            warnings.filterwarnings("error", "Corrupt|Truncated")  # otherwise a cut-off stack may lose pages silently
            with Image.open(path) as image:
                pages = [_to_array(page, keep_palette) for page in ImageSequence.Iterator(image)]
    except Exception as error:  # Pillow raises a dozen kinds for a damaged file, SyntaxError among them
        got = "a file of another kind, or a damaged one" if "identify" in str(error) else f"a damaged one ({error})"
        raise InputError(f"{path}: expected an image, got {got}; open it in a viewer and save it again") from error
    bad = sum(np.count_nonzero(~np.isfinite(page)) for page in pages)
    if bad:
        raise InputError(
            f"{path}: expected finite grey values, got NaN or infinity in {bad} pixels; "
            "replace them, with numpy.nan_to_num for example"
        )
    return pages


def _to_array(page: Image.Image, keep_palette: bool) -> np.ndarray:
    has_alpha = page.mode in ALPHA_MODES
    if page.mode == "1":
        page = page.convert("L")
    elif page.mode in ("P", "PA"):
        if not keep_palette:
            page, has_alpha = page.convert("RGB"), False
    elif page.mode not in GREY_MODES | ALPHA_MODES | {"RGB"}:
        page = page.convert("RGB")  # CMYK, YCbCr, LAB, HSV
    array = np.array(page)  # (H, W) or (H, W, C)
    array = np.atleast_3d(array).transpose(2, 0, 1)  # (C, H, W)
    if has_alpha:
        array = array[:-1]
    is_grey = len(array) == 3 and (array == array[0]).all()
    return array[:1] if is_grey else array


def _what_is_there(path) -> str:
    return "a folder" if Path(path).is_dir() else "none"
