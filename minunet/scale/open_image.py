"""Images too large for memory, as Dask arrays: OME-Zarr, plain Zarr, and TIFF.

Only the metadata is read here. Each worker opens the file for itself, once, and reads the pieces that it needs.
"""

import datetime
import functools
import socket
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.errors import InputError
from minunet.scale.extras import need
from minunet.scale.ome_zarr import Geometry, axis_of, multiscale_attributes, read_multiscale
from minunet.scale.tiff_slide import axes_and_colours, is_tiff, open_tiff

PIECE = 2048  # pixels: smaller chunks are read several at a time, as a task for each would be too many
METADATA = ("zarr.json", ".zarray", ".")  # where it is written when an array is made; else the folder itself


class LargeImage(NamedTuple):
    """An image on disk that is read piece by piece."""

    pixels: Any  # dask.array.Array, (C, H, W)
    geometry: Geometry  # of its axes y and x
    zarr_format: int  # 2 (OME-Zarr 0.4) or 3 (OME-Zarr 0.5)
    state: str  # in words; others if another image has taken its place


def open_image(path: str | Path) -> LargeImage:
    """Open an image (H, W) or (C, H, W), of an OME-Zarr the largest of its resolutions.

    Raises
    ------
    InputError
        If the store holds no image, or one with other axes.
    """
    path = Path(path)
    if not path.exists():
        remedy = "download it, as only files are read" if ":/" in path.as_posix()[2:] else "check the path"
        raise InputError(f"{path}: expected a Zarr store or a TIFF file, found none; {remedy}")
    colours = None
    if is_tiff(path):
        axes, colours = axes_and_colours(path)
        name, geometry, zarr_format = "", Geometry.of_pixels(axes), 2
    else:
        node = _open_zarr(path)
        name, geometry = _image_in(node, path)
        zarr_format = node.metadata.zarr_format
    opened = time.time_ns()
    stored = _open_array(str(path), name, opened)
    if len(stored.shape) != len(geometry.axes):
        raise InputError(
            f"{path}: expected {len(geometry.axes)} axes, as its metadata say, got an array of shape {stored.shape}; "
            "correct the metadata"
        )
    da = need("dask.array")
    chunks = da.core.normalize_chunks(_pieces(stored.chunks), stored.shape)
    meta = np.empty((0,) * stored.ndim, stored.dtype)
    pixels = da.map_blocks(_read_piece, str(path), name, opened, chunks=chunks, dtype=stored.dtype, meta=meta)
    state = f"{stored.dtype} {stored.shape}, written {_written(path, name)}"
    return LargeImage(_as_cyx(pixels, geometry, path)[:colours], geometry.only("yx"), zarr_format, state)


def _pieces(chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Return the size of the pieces that are read: whole chunks, as many as fit; of long ones, such as strips, one."""
    return chunks if max(chunks, default=0) > PIECE else tuple(PIECE // n * n for n in chunks)


def _written(path: Path, name: str) -> str:
    """Return when an array was made, or a file written."""
    places = [path] if path.is_file() else [path / name / file for file in METADATA]
    seconds = next(place for place in places if place.exists()).stat().st_mtime
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(sep=" ")


def _read_piece(path: str, name: str, opened: int, block_info=None) -> np.ndarray:
    """Read a piece: once, also if several blocks need a part of it."""
    window = tuple(slice(*ends) for ends in block_info[None]["array-location"])
    array = _open_array(path, name, opened)
    try:
        return np.asarray(array[window])
    except MemoryError:
        raise
    except Exception as error:  # each codec has errors of its own
        where = ", ".join(f"{part.start} to {part.stop}" for part in window)
        raise InputError(
            f"{path}: expected chunks that can be read, got a damaged one in the window {where} of shape {array.shape} "
            f"({error}); copy the image once more, or write it again"
        ) from error


@functools.lru_cache(maxsize=16)
def _open_array(path: str, name: str, opened: int):
    """Open an array; `opened` is when the run did it first, for there may be another image in its place by now."""
    if not Path(path).exists():
        raise InputError(
            f"{path}: expected an image that all workers see, found none on {socket.gethostname()}; put it, and --out, "
            "on a disk that they share"
        )
    if is_tiff(Path(path)):
        return open_tiff(path)
    node = _open_zarr(Path(path))
    try:
        array = node[name] if name else node
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: expected an array {name} that can be opened, got {error}; install the codec that it names, or "
            "write the store again"
        ) from error
    if not isinstance(array, need("zarr").Array):
        raise InputError(f"{path}: expected an array {name}, as its metadata say, got a group; write the store again")
    return array


def _open_zarr(path: Path):
    """Open a store, in a folder or in a zip file."""
    try:
        store = need("zarr.storage").ZipStore(path, mode="r") if zipfile.is_zipfile(path) else str(path)
        return need("zarr").open(store, mode="r")
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a Zarr store, got a file or folder of another kind; check it") from error


def _image_in(node, path: Path) -> tuple[str, Geometry]:
    """Return the name of the array that is the image, and its geometry."""
    if isinstance(node, need("zarr").Array):
        return "", _unnamed_axes(node)
    multiscale = read_multiscale(node, path)
    if multiscale is not None:
        return multiscale
    if "plate" in multiscale_attributes(node):
        raise InputError(f"{path}: expected one image, got a plate of them; name one of its fields, as in {path}/A/1/0")
    arrays = sorted(name for name, _ in node.arrays())
    images = {name: read_multiscale(group, path) for name, group in sorted(node.groups())}
    found_images = {name: image for name, image in images.items() if image is not None}
    if len(arrays) == 1:
        return arrays[0], _unnamed_axes(node[arrays[0]])
    if len(found_images) == 1 and not arrays:  # as bioformats2raw writes it
        ((group, (name, geometry)),) = found_images.items()
        return f"{group}/{name}", geometry
    found = f"the arrays {', '.join(arrays)}" if arrays else "no arrays"
    found = f"{found} and the images {', '.join(found_images)}" if found_images else found
    raise InputError(
        f"{path}: expected an OME-Zarr image or a single array, got a group with {found}; name one of the arrays "
        "or groups inside, such as STORE/0"
    )


def _unnamed_axes(array) -> Geometry:
    return Geometry.of_pixels([axis_of(name) for name in "tzcyx"[-array.ndim :]])


def _as_cyx(pixels, geometry: Geometry, path):
    """Bring the axes into the order c, y, x; raise InputError if there are others, larger than 1."""
    names = [axis["name"] for axis in geometry.axes]
    others = [name for name, size in zip(names, pixels.shape, strict=True) if name not in "cyx" and size > 1]
    if others or not {"y", "x"} <= set(names) or len(set(names)) < len(names):
        raise InputError(
            f"{path}: expected the axes y, x or c, y, x, got {', '.join(names)} with shape {pixels.shape}; "
            "save a single plane as an image of its own"
        )
    pixels = pixels[tuple(slice(None) if name in "cyx" else 0 for name in names)]
    kept = [name for name in names if name in "cyx"]
    if "c" not in kept:
        pixels, kept = pixels[None], ["c", *kept]
    return pixels.transpose([kept.index(name) for name in "cyx"])
