"""TIFF files too large for memory: their tiles are the chunks of an array, which tifffile shows as a Zarr array."""

import weakref
from pathlib import Path

from minunet.data.readers.page_sizes import TIFF
from minunet.errors import InputError
from minunet.scale.extras import need
from minunet.scale.ome_zarr import axis_of

SUFFIXES = (".tif", ".tiff")
AXES = {"S": "c"}  # samples are colours; other letters of tifffile are those of OME-Zarr, in capitals


def is_tiff(path: Path) -> bool:
    """Tell a TIFF by its name or, such as .svs and .ndpi of slide scanners, by its first bytes."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return path.suffix.lower() in SUFFIXES or file.read(4) in TIFF


def open_tiff(path: str):
    """Return the largest resolution of the first image as a Zarr array, with which the file is closed."""
    store = need("tifffile").imread(path, aszarr=True, level=0)
    array = need("zarr").open_array(store, mode="r")
    weakref.finalize(array, store.close)
    return array


def axes_and_colours(path: Path) -> tuple[list[dict], int | None]:
    """Return the axes as OME-Zarr describes them and, if there is an alpha behind the colours, how many colours."""
    tifffile = need("tifffile")
    try:
        with tifffile.TiffFile(path) as file:
            letters, page = file.series[0].axes, file.series[0].keyframe
    except (tifffile.TiffFileError, IndexError, OSError) as error:
        raise InputError(f"{path}: expected a TIFF file, got a damaged one, or one of another kind") from error
    colours = _colours(page, path)
    axes = [axis_of(AXES.get(letter, letter.lower())) for letter in letters]
    return axes, colours if "S" in letters and any(page.extrasamples) else None


def _colours(page, path: Path) -> int:
    """Return 1 or 3; raise InputError if the numbers in a TIFF are not yet the grey values or colours, upright."""
    is_rgb = page.photometric == 2 or (page.photometric == 6 and page.compression == 7)  # YCbCr by JPEG becomes RGB
    if page.tags.valueof(274, 1) != 1:
        got = "an orientation tag"
    elif page.photometric != 1 and not is_rgb:
        got = getattr(page.photometric, "name", str(page.photometric))
    elif page.dtype == bool:
        got = "one bit for each pixel"
    elif page.compression != 1 and page.compression not in need("tifffile").TIFF.DECOMPRESSORS:
        raise InputError(
            f"{path}: expected a compression that tifffile can read, got {page.compression.name}; install imagecodecs "
            'with python -m pip install "minunet[codecs]"'
        )
    else:
        return 3 if is_rgb else 1
    raise InputError(
        f"{path}: expected grey values with black as zero, or RGB, upright, got {got}; images that fit in memory are "
        "read with it, so save a part, or save it again as grey or RGB"
    )
