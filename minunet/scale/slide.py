"""A slide from an image on disk to an OME-Zarr with probabilities and cells, which goes on where it was stopped.

    RESULT.zarr/0, 1, ...               a byte for each class and pixel, 255 times its probability; smaller and smaller
    RESULT.zarr/labels/cells/0, 1, ...  the number of the cell at each pixel, 0 for background
    RESULT.zarr/unfinished/             until all is done: each block's own numbers, and how many cells it has

A block is done when `unfinished/count` says so, and that is written last. So after a crash, or the end of a worker, a
block is there or it is not, and what is not there is computed. The slide and the result are never whole in memory.
"""

import contextlib
import hashlib
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from minunet.backend import flatten, to_host
from minunet.data.colours import for_channels
from minunet.errors import InputError
from minunet.metrics.cells import classes_of, label_classes
from minunet.network.trained import Network
from minunet.progress import ProgressBar
from minunet.scale.blocks import predict
from minunet.scale.earlier_try import old_result
from minunet.scale.extras import need
from minunet.scale.ome_zarr import (
    Geometry,
    create_array,
    first_of_four,
    means_of_four,
    write_multiscale,
    write_smaller_levels,
)
from minunet.scale.open_image import open_image
from minunet.scale.seams import join, of_one_class, seams
from minunet.training.run_folder import made_and_held

BLOCK = 2048  # pixels: blocks of this size keep Dask's scheduler below its limit; see benchmarks/scaling_out.md
NOT_DONE = -1
ROWS = 16  # of a block that are rounded to bytes at a time


def predict_slide(
    network: Network, path: str | Path, out: str | Path, client, *, block: int = BLOCK, tile=None, progress=True
) -> None:
    """Predict an image on disk, and write the result to `out`; go on with a result that is not finished.

    Parameters
    ----------
    network : Network
    path : of an OME-Zarr, a Zarr array or a TIFF; see `open_image`
    out : the OME-Zarr to write
    client : distributed.Client
    block : int
        Height and width of the blocks; also of the result's chunks.
    tile : int or (height, width), optional
        Input size of the network.
    progress : bool
        Show a progress bar by blocks.

    Raises
    ------
    InputError
        If the image cannot be read or does not fit the network, `out` holds something else, another process writes to
        it, or a block has NaN. Blocks that are done stay done.
    """
    if block < 1:
        raise InputError(f"--block must be at least 1 pixel, got {block}; the default is {BLOCK}")
    path, out = Path(path).resolve(), Path(out).resolve()  # a worker may run in another folder
    image = open_image(path)
    about = {"image": str(path), "state of the image": image.state, "network": digest(network), "block": block}
    with made_and_held(out), client.as_current():
        result = old_result(out, about)
        if result is None or not result.attrs["minunet"]["finished"]:
            probabilities = predict(network, _for_network(image.pixels, network, block), tile)
            result = _new_result(out, about, image.zarr_format) if result is None else result
            _make_arrays(result, probabilities)
            with _saying_what_to_do(out):
                counts = result["unfinished/count"][:]
                _write_blocks(probabilities, network.threshold, str(out), counts, client, progress)
                _finish(result, str(out), image.geometry)
                result.attrs["minunet"] = {**about, "finished": True}
        shutil.rmtree(out / "unfinished", ignore_errors=True)


@contextlib.contextmanager
def _saying_what_to_do(out: Path):
    """Say, if the disk is full or refuses in another way, how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # the connection to a worker
            raise
        raise OSError(
            f"could not write {out}: {error.strerror}; put that right, and the same command goes on: what is done "
            "stays done"
        ) from error


def digest(network: Network) -> str:
    """Return a short number that tells networks apart."""
    scope, *numbers = network.normalisation
    content = [
        np.ascontiguousarray(to_host(x)).data for x in flatten([network.params, numbers]).values() if x is not None
    ]
    threshold = b"" if network.threshold == 0.5 else repr(network.threshold).encode()
    return hashlib.sha256(b"".join([scope.encode(), *content, threshold])).hexdigest()[:16]


def _for_network(pixels, network: Network, block: int):
    """Return the Dask array (C, H, W) in blocks, a colour image as grey if the network takes grey ones."""
    blocks = pixels.rechunk((-1, block, block))
    channels = network.params["encode"][0]["conv1"]["weight"].shape[1]
    if for_channels(np.empty((len(pixels), 1, 1)), channels).shape[0] == len(pixels):
        return blocks
    return blocks.map_blocks(for_channels, channels, chunks=((channels,), *blocks.chunks[1:]), dtype=np.float32)


def _new_result(out: Path, about: dict, zarr_format: int):
    attributes = {"minunet": {**about, "finished": False}}
    return need("zarr").open_group(str(out), mode="a", zarr_format=zarr_format, attributes=attributes)


def _make_arrays(result, probabilities) -> None:
    """Make the arrays, unless they are there and hold the blocks of an earlier try."""
    if "unfinished/count" not in result:  # which is made last
        (K, H, W), (_, *block), (_, *grid) = probabilities.shape, probabilities.chunksize, probabilities.numblocks
        create_array(result, "0", (K, H, W), (K, *block), np.uint8)
        create_array(result, "labels/cells/0", (H, W), block, np.int32)
        create_array(result, "unfinished/local", (H, W), block, np.int32)
        create_array(result, "unfinished/count", (K - 1, *grid), (K - 1, 1, 1), np.int32, fill_value=NOT_DONE)


def _write_blocks(probabilities, threshold: float, out: str, counts: np.ndarray, client, progress: bool) -> None:
    """Compute and write the blocks that are not done."""
    dask, distributed = need("dask"), need("distributed")
    grid = probabilities.to_delayed()[0]
    places = [place for place in itertools.product(*map(range, grid.shape)) if counts[0][place] == NOT_DONE]
    writing = client.compute([dask.delayed(write_block)(grid[place], out, place, threshold) for place in places])
    options: dict[str, Any] = {"desc": "predicting", "unit": "block", "disable": None if progress else True}
    with ProgressBar(total=grid.size, initial=grid.size - len(places), **options) as bar:
        try:
            for future in distributed.as_completed(writing):
                future.result()
                bar.update()
        finally:
            client.cancel(writing)


def write_block(probabilities: np.ndarray, out: str, place: tuple[int, int], threshold: float = 0.5) -> None:
    """Write a block of probabilities (K, h, w), its cells, numbered from 1, and how many there are of each class."""
    result = need("zarr").open_group(out, mode="r+")
    window = _window(result, place)
    classes = classes_of(probabilities, threshold)
    cells = label_classes(classes, probabilities, threshold, split=1)  # a cell may go on in the next block
    last = [cells.max(where=classes == k, initial=0) for k in range(1, len(probabilities))]  # number of each class
    each_class_window, each_class_place = (slice(None), *window), (slice(None), *place)
    result["0"][each_class_window] = _as_bytes(probabilities)
    result["unfinished/local"][window] = cells
    result["unfinished/count"][each_class_place] = np.diff(np.maximum.accumulate(last), prepend=0)


def _as_bytes(probabilities: np.ndarray) -> np.ndarray:
    """Return 255 times the probabilities (K, H, W), rounded; by a few rows at a time, so that it stays in cache."""
    result = np.empty(probabilities.shape, np.uint8)
    for start in range(0, probabilities.shape[1], ROWS):
        rows = slice(start, start + ROWS)
        result[:, rows] = 255 * probabilities[:, rows] + 0.5
    return result


def renumber_block(out: str, place: tuple[int, int], first: int, last: int) -> None:
    """Write the cells of a block with the numbers of the slide, `first` to `last` in `unfinished/numbers`."""
    result = need("zarr").open_group(out, mode="r+")
    window = _window(result, place)
    table = np.concatenate([[0], result["unfinished/numbers"][first:last]]).astype(np.int32)
    result["labels/cells/0"][window] = table[result["unfinished/local"][window]]


def _window(result, place: tuple[int, int]) -> tuple[slice, slice]:
    chunks = result["unfinished/local"].chunks
    rows, columns = (slice(i * length, (i + 1) * length) for i, length in zip(place, chunks, strict=True))
    return rows, columns


def _finish(result, out: str, geometry: Geometry) -> None:
    """Give each cell one number, write the smaller levels and the metadata; the current client computes."""
    da, dask = need("dask.array"), need("dask")
    counts, local = result["unfinished/count"][:], result["unfinished/local"]
    _, *grid = counts.shape
    counts = counts.reshape(len(counts), -1).T  # of each block, one for each class
    _, contacts = seams(da.from_array(local, local.chunks))
    numbers = join(counts.sum(axis=1), of_one_class(dask.compute(*contacts), counts))
    create_array(result, "unfinished/numbers", (max(1, len(numbers)),), (2**20,), np.int32)[: len(numbers)] = numbers
    first = np.cumsum([0, *counts.sum(axis=1)]).tolist()
    places = itertools.product(*map(range, grid))
    bounds = itertools.pairwise(first)
    dask.compute([dask.delayed(renumber_block)(out, place, *pair) for place, pair in zip(places, bounds, strict=True)])

    levels = write_smaller_levels(result, means_of_four)
    write_multiscale(result, "probability", geometry.with_classes(), levels)
    cells = result["labels/cells"]
    levels = write_smaller_levels(cells, first_of_four)
    write_multiscale(cells, "cells", geometry, levels, **{"image-label": {"source": {"image": "../../"}}})
    _list_labels(result["labels"])


def _list_labels(labels) -> None:
    """Say which label images there are, where OME-Zarr looks for it."""
    listed = {"labels": ["cells"]}
    labels.attrs.update(listed if labels.metadata.zarr_format == 2 else {"ome": {"version": "0.5", **listed}})
