"""Images too large for memory, as Dask arrays: OME-Zarr, plain Zarr, and TIFF.

Only the metadata is read here. Each worker opens the file for itself, once, and reads the chunks that it needs.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.errors import InputError
from minunet.scale.extras import need
from minunet.scale.ome_zarr import Geometry, axis_of, read_multiscale

TIFFS = (".tif", ".tiff")
TIFF_AXES = {"S": "c"}  # samples are colours; other letters of tifffile are those of OME-Zarr, in capitals


class LargeImage(NamedTuple):
    """An image on disk that is read chunk by chunk."""

    pixels: Any  # dask.array.Array, (C, H, W)
    geometry: Geometry  # of its axes y and x
    zarr_format: int  # 2 (OME-Zarr 0.4) or 3 (OME-Zarr 0.5)


def open_image(path: str | Path) -> LargeImage:
    """Open an image (H, W) or (C, H, W), of an OME-Zarr the largest of its resolutions.

    Raises
    ------
    InputError
        If the store holds no image, or one with other axes.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: expected a Zarr store or a TIFF file, found none; check the path")
    if path.suffix.lower() in TIFFS:
        name, geometry, zarr_format = "", Geometry.of_pixels(_axes_of_tiff(path)), 2
    else:
        node = _open_zarr(path)
        name, geometry = _image_in(node, path)
        zarr_format = node.metadata.zarr_format
    stored = _open_array(str(path), name)
    if len(stored.shape) != len(geometry.axes):
        raise InputError(
            f"{path}: expected {len(geometry.axes)} axes, as its metadata say, got an array of shape {stored.shape}; "
            "correct the metadata"
        )
    chunks = need("dask.array").core.normalize_chunks(stored.chunks, stored.shape)
    pixels = need("dask.array").map_blocks(
        _read_chunk, str(path), name, chunks=chunks, dtype=stored.dtype, meta=np.empty((0,) * stored.ndim, stored.dtype)
    )
    return LargeImage(_as_cyx(pixels, geometry, path), geometry.only("yx"), zarr_format)


def _read_chunk(path: str, name: str, block_info=None) -> np.ndarray:
    """Read a chunk: once, also if several blocks need a part of it."""
    return np.asarray(_open_array(path, name)[tuple(slice(*ends) for ends in block_info[None]["array-location"])])


@functools.lru_cache(maxsize=16)
def _open_array(path: str, name: str):
    if Path(path).suffix.lower() in TIFFS:
        return need("zarr").open_array(need("tifffile").imread(path, aszarr=True, level=0), mode="r")
    node = _open_zarr(path)
    return node[name] if name else node


def _open_zarr(path):
    try:
        return need("zarr").open(str(path), mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a Zarr store, got a file or folder of another kind; check it") from error


def _image_in(node, path: Path) -> tuple[str, Geometry]:
    """Return the name of the array that is the image, and its geometry."""
    zarr = need("zarr")
    if isinstance(node, zarr.Array):
        return "", Geometry.of_pixels([axis_of(name) for name in "tzcyx"[-node.ndim :]])
    multiscale = read_multiscale(node, path)
    if multiscale is not None:
        return multiscale
    arrays = sorted(name for name, _ in node.arrays())
    if len(arrays) != 1:
        found = f"the arrays {', '.join(arrays)}" if arrays else "no arrays"
        raise InputError(
            f"{path}: expected an OME-Zarr image or a single array, got a group with {found}; name one of the arrays "
            "or groups inside, such as STORE/0"
        )
    return arrays[0], Geometry.of_pixels([axis_of(name) for name in "tzcyx"[-node[arrays[0]].ndim :]])


def _as_cyx(pixels, geometry: Geometry, path):
    """Bring the axes into the order c, y, x; raise InputError if there are others, larger than 1."""
    names = [axis["name"] for axis in geometry.axes]
    others = [name for name, size in zip(names, pixels.shape, strict=True) if name not in "cyx" and size > 1]
    if others or not {"y", "x"} <= set(names):
        raise InputError(
            f"{path}: expected the axes y, x or c, y, x, got {', '.join(names)} with shape {pixels.shape}; "
            "save a single plane as an image of its own"
        )
    pixels = pixels[tuple(slice(None) if name in "cyx" else 0 for name in names)]
    kept = [name for name in names if name in "cyx"]
    if "c" not in kept:
        pixels, kept = pixels[None], ["c", *kept]
    return pixels.transpose([kept.index(name) for name in "cyx"])


def _axes_of_tiff(path: Path) -> list[dict]:
    tifffile = need("tifffile")
    try:
        with tifffile.TiffFile(path) as file:
            letters, page = file.series[0].axes, file.series[0].keyframe
    except (tifffile.TiffFileError, IndexError, OSError) as error:
        raise InputError(f"{path}: expected a TIFF file, got a damaged one, or one of another kind") from error
    _check_stored_values(page, path)
    return [axis_of(TIFF_AXES.get(letter, letter.lower())) for letter in letters]


def _check_stored_values(page, path: Path) -> None:
    """Raise InputError if the numbers in a TIFF are not yet the grey values or colours, upright."""
    is_rgb = page.photometric == 2 or (page.photometric == 6 and page.compression == 7)  # YCbCr by JPEG becomes RGB
    if page.tags.valueof(274, 1) != 1:
        got = "an orientation tag"
    elif page.photometric != 1 and not is_rgb:
        got = getattr(page.photometric, "name", repr(page.photometric))
    elif page.compression != 1 and page.compression not in need("tifffile").TIFF.DECOMPRESSORS:
        raise InputError(
            f"{path}: expected a compression that tifffile can read, got {page.compression.name}; install imagecodecs "
            'with python -m pip install "minunet[codecs]"'
        )
    else:
        return
    raise InputError(
        f"{path}: expected grey values with black as zero, or RGB, upright, got {got}; images that fit in memory are "
        "read with it, so save a part, or save it again as grey or RGB"
    )
