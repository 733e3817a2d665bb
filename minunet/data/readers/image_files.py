"""Images, stacks and label masks as arrays; one line says what cannot be read, and why.

| kind of file | read by | |
|---|---|---|
| TIFF, BigTIFF, OME-TIFF, ImageJ, LSM | tifffile | `tiff.py`; some compressions by Pillow's libtiff, `libtiff.py` |
| PNG | Pillow | `png.py`: all 16 bits of colours and of alpha |
| PGM, PPM | NumPy | `netpbm.py` |
| JPEG, GIF, BMP, WebP, ... | Pillow | `other_kinds.py`: where Pillow keeps the values |

The values are those of the file, in its depth, with three exceptions: one bit becomes 0 and 255, TIFF whose white is
zero is inverted, and Pillow makes RGB of CMYK, YCbCr and Lab. An orientation tag is obeyed, in images and masks alike.
A warning says what was left out.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from minunet.data.readers.kinds import kind_of, what_it_is
from minunet.data.readers.netpbm import read_netpbm
from minunet.data.readers.other_kinds import read_other
from minunet.data.readers.planes import too_large
from minunet.data.readers.png import read_png
from minunet.errors import InputError

UNSUPPORTED = "NotImplemented|unsupported|not supported|unrecognized|unknown|not a known|cannot handle"  # in an error
READERS = {"PNG": read_png, "PNM": read_netpbm}
SPLIT_STACKS = "save each page in a file of its own, as Stacks in minunet/cli/README.md shows"
LARGEST = np.finfo(np.float32).max  # images are float32


def read_image(path: str | Path, any_size: bool = False) -> np.ndarray:
    """Return the image in a file with a single page.

    Grey images keep their values. Alpha is dropped, palettes are turned into colours, and colours that are grey
    everywhere become one channel.

    Parameters
    ----------
    path : str or Path
    any_size : bool
        Read a page of more than 179 million pixels too.

    Returns
    -------
    image : float32 array, (C, H, W)
        C is 1 or 3.
    """
    return one_page(path, any_size).astype(np.float32, copy=False)


def read_pages(path: str | Path, any_size: bool = False) -> list[tuple[str, np.ndarray]]:
    """Return (name, image) for every page of a file; the image as from `read_image`.

    The name is the file's, without the extension; if there are more pages, it is followed by the page's number.
    """
    pages, stem = list(each_page(path, any_size)), Path(path).stem
    names = [stem] if len(pages) == 1 else [f"{stem}_{i:03d}" for i in range(len(pages))]
    return [(name, pages.pop(0).astype(np.float32, copy=False)) for name in names]  # pop frees each page in turn


def read_stack(path: str | Path, any_size: bool = False) -> np.ndarray:
    """Return the pages of a grey TIFF in one array, (pages, H, W), with the values of the file."""
    pages = list(each_page(path, any_size))
    shapes = {page.shape for page in pages}
    if len(shapes) > 1:
        sizes = " and ".join(sorted(f"{H}x{W}" for _, H, W in shapes))
        raise InputError(f"{path}: expected pages of one size, got {sizes}; save each size in a file of its own")
    if len(pages[0]) != 1:
        raise InputError(f"{path}: expected grey pages, got {len(pages[0])} channels; convert the pages to grey")
    return np.concatenate(pages)  # (pages, H, W)


def read_labels(path: str | Path, any_size: bool = False) -> np.ndarray:
    """Return the mask in a file, integers, (H, W); for an image with a palette, the stored numbers, not the colours."""
    mask = one_page(path, any_size, keep_palette=True)
    if len(mask) != 1:
        raise InputError(f"{path}: expected a grey mask, got colours; save one number per pixel, 0 for background")
    mask = mask[0]  # (H, W)
    if mask.dtype.kind != "f":
        return mask
    if not np.array_equal(mask, np.round(mask)):
        raise InputError(f"{path}: expected whole numbers in a mask, got fractions; save it as 8 or 16 bits")
    return mask.astype(np.int64)


def one_page(path, any_size: bool = False, keep_palette: bool = False) -> np.ndarray:
    """Return the page of a file with a single one, (C, H, W), in the dtype of the file."""
    pages = list(each_page(path, any_size, keep_palette))
    if len(pages) > 1:
        raise InputError(f"{path}: expected one image, got {len(pages)} pages; {SPLIT_STACKS}")
    return pages[0]


def each_page(
    path: str | Path, any_size: bool = False, keep_palette: bool = False, with_warning: bool = True
) -> Iterator[np.ndarray]:
    """Yield every page of a file, (C, H, W), in the dtype of the file; of a TIFF, one at a time is in memory.

    After the last page, a warning says what was left out.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: expected an image file, found {_what_is_there(path)}; check the path")
    pages = _read(path, keep_palette, any_size)
    left_out: list[str] = []
    while True:
        with _with_the_right_reason(path), warnings.catch_warnings(), _limit_of_pillow(any_size):
            warnings.simplefilter("ignore")  # about odd metadata, common in files from microscopes
            found = next(pages, None)
        if found is None:
            break
        page, without = found
        left_out += without
        _check_finite(path, page)
        ready = [_as_grey(page)]
        del found, page
        yield ready.pop()  # so that nothing here keeps it
    if left_out and with_warning:
        warnings.warn(f"{path}: left out: {', '.join(dict.fromkeys(left_out))}", stacklevel=4)


def _read(path, keep_palette: bool, any_size: bool) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield (planes, left out) for each page of a file, (C, H, W)."""
    kind = kind_of(path)
    if kind == "TIFF":
        from minunet.data.readers.tiff import read_tiff  # tifffile is loaded at its first use

        yield from read_tiff(path, keep_palette, any_size)
        return
    arrays, left_out = READERS.get(kind, read_other)(path, keep_palette)
    while arrays:
        yield arrays.pop(0), left_out


@contextlib.contextmanager
def _with_the_right_reason(path) -> Iterator[None]:
    """Turn whatever is raised for a file that cannot be read into an InputError that says why."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(path, str(error).partition(" exceeds")[0].lower()) from error
    except UnidentifiedImageError as error:
        got, remedy = what_it_is(path)
        raise InputError(f"{path}: expected an image, got {got}; {remedy}") from error
    except MemoryError as error:
        raise InputError(
            f"{path}: expected an image that fits in memory, got a larger one; cut it into parts"
        ) from error
    except Exception as error:  # Pillow and tifffile raise a dozen kinds for a damaged file, SyntaxError among them
        got, remedy = "a damaged one", "open it in a viewer and save it again"
        if "broken data stream" in str(error):  # of which Pillow says no more
            got = "a damaged one, or one of a rare kind"
        elif re.search(UNSUPPORTED, f"{type(error).__name__} {error}", re.IGNORECASE):
            got, remedy = "one of a rare kind", "save it as PNG, or as TIFF without compression"
        raise InputError(f"{path}: expected an image, got {got} ({error}); {remedy}") from error


@contextlib.contextmanager
def _limit_of_pillow(any_size: bool) -> Iterator[None]:
    """Let Pillow open files of any size, if that is wanted."""
    limit = Image.MAX_IMAGE_PIXELS
    if any_size:
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_finite(path, page: np.ndarray) -> None:
    bad = 0 if page.dtype.kind in "iu" else page.size - np.count_nonzero(np.abs(page) <= LARGEST)
    if bad:
        raise InputError(
            f"{path}: expected finite grey values, got NaN or infinity in {bad} pixels; "
            "replace them, with numpy.nan_to_num for example"
        )


def _as_grey(page: np.ndarray) -> np.ndarray:
    """Return one channel if all are equal; never a view, which would keep all of a larger array in memory."""
    is_grey = len(page) == 3 and all(np.array_equal(page[0], channel) for channel in page[1:])
    return np.array(page[:1] if is_grey else page, page.dtype.newbyteorder("="), order="C")


def _what_is_there(path) -> str:
    return "a folder" if Path(path).is_dir() else "none"
