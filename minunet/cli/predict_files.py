"""The files of `minunet predict`, one after the other: look at the size, check the memory, read, predict, write."""

import functools
import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np

from minunet.cli.messages import print_error, print_line
from minunet.cli.predict_results import ALWAYS, result_bytes, result_paths, write_results
from minunet.cli.shared_options import warn_of_foreign
from minunet.data.colours import for_channels
from minunet.data.readers.image_files import each_page
from minunet.data.readers.page_sizes import page_sizes
from minunet.errors import InputError
from minunet.fast.cpu import limits
from minunet.network.memory_needed import in_gb
from minunet.network.trained import Network
from minunet.prediction.checks import check_image
from minunet.prediction.memory import check_prediction
from minunet.prediction.predict import predict_many

WORTH_SAYING = 1e9  # bytes: an image that needs as much is announced
WITH_BAR = functools.partial(predict_many, progress=True)
Images = Iterable[tuple[str, np.ndarray]]  # the name of each image, and the image, (C, H, W)


def readable_images(
    names: dict[str, str], network: Network, options, errors: list[str], kinds: Collection[str] = ALWAYS
) -> Iterator:
    """Yield (name, image) for every page of every file; of a TIFF, only one page is in memory at a time.

    `names` are those of the results of each file, as from `names_of`; that of a page has its number behind it.
    `options` are those of `minunet predict`: tile, rotations and any_size count. These `kinds` of results are to
    be written.

    What is wrong with a file that cannot be used goes to `errors`, and is printed, unless it is the only file.
    """
    for path, name in names.items():
        try:
            pages = _pages_for(path, network, options, result_bytes(kinds, network.split))
        except InputError as error:
            errors.append(str(error))
            if len(names) > 1:
                print_error(f"minunet predict: left out: {error}")
            continue
        for number, image in pages:
            warn_of_foreign("predict", [(name + number, image)], network)
            yield name + number, image
            del image  # before the next one is read


def _pages_for(path: str, network: Network, options, writing: int) -> Iterator[tuple[str, np.ndarray]]:
    """Return an iterator over (number, image) for every page of a file; raise InputError if any cannot be predicted.

    The number is what comes behind the file's name: "" for a single page, _000, _001, ... for several. These are read
    twice, one at a time: first all are checked, so that there are results of all pages or of none.

    Writing the results takes so many bytes for each pixel.
    """
    is_stack = _check_memory(path, network, options, writing) > 1
    channels = network.params["encode"][0]["conv1"]["weight"].shape[1]

    def images(with_warning: bool = True) -> Iterator[np.ndarray]:
        return map(lambda page: _as_taken(page, channels), each_page(path, options.any_size, with_warning=with_warning))

    count, kept = 0, []
    for image in images():
        _check(path, image, network)
        count += 1
        if not is_stack:
            kept.append(image)
        del image  # before the next one is read
    numbers = iter([""]) if count == 1 else map("_{:03d}".format, itertools.count())
    again = images(with_warning=False) if is_stack else (kept.pop(0) for _ in range(count))
    return map(lambda image: (next(numbers), image), again)  # unlike a loop, it keeps no image when it has given it


def _check_memory(path: str, network: Network, options, writing: int) -> int:
    """Return how many pages a file has; raise InputError if they need too much memory, and say it if it is much.

    That is what its headers tell: 0 if they cannot be read.
    """
    sizes, there = page_sizes(path), limits.memory()
    if not sizes:
        return 0
    largest = max(sizes, key=lambda size: size.height * size.width)
    what = f"{path}: {largest.height}x{largest.width} pixels"
    if len(sizes) > 1:
        what = f"{path}: {len(sizes)} pages of up to {largest.height}x{largest.width}"
    reading, together = max(size.reading for size in sizes), max(size.together for size in sizes)
    shapes = {size.shape for size in sizes}
    tile, rotations = options.tile, options.rotations
    needed = check_prediction(f"{what}: this", network.params, shapes, tile, writing, reading, together, rotations)
    if needed > WORTH_SAYING and there is not None:
        print_error(f"{what}: this needs about {in_gb(needed)} of memory, {in_gb(there.free)} are free")
    return len(sizes)


def _as_taken(page: np.ndarray, channels: int) -> np.ndarray:
    """Return a page as the network takes it: float32, (channels, H, W)."""
    return for_channels(page.astype(np.float32, copy=False), channels)


def _check(path: str, image: np.ndarray, network: Network) -> None:
    """Raise InputError if the network cannot take an image."""
    try:
        check_image(network.params, np.broadcast_to(np.uint8(0), image.shape), network.normalisation)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if network.normalisation is not None and network.normalisation.scope == "image":
        _check_contrast(path, image)


def _check_contrast(path: str, image: np.ndarray) -> None:
    """Raise InputError if a channel cannot be normalised by its own numbers, since all its values are equal."""
    for c, channel in enumerate(image):
        if channel.min() == channel.max():
            raise InputError(
                f"{path}: expected images with contrast, got a standard deviation of 0 in channel {c}: all its pixels "
                "are equal; leave out that channel, or check the files"
            )


def predict_and_write(
    images: Images,
    network: Network,
    folder: Path,
    predict_all=WITH_BAR,
    *,
    kinds: Collection[str] = ALWAYS,
    min_area: int = 0,
    areas: list[np.ndarray] | None = None,
    **options,
) -> int:
    """Write the results of each image, of these kinds, and print their paths; return how many images there were.

    Cells of fewer pixels than `min_area` are left out; the areas of each image's other cells go to `areas`.

    ``predict_all(network, images, **options)`` yields the probabilities of each, with options as for `predict`.
    """
    waiting: list[tuple[str, np.ndarray]] = []  # several images may be taken before the first result is there

    def in_turn() -> Iterator[np.ndarray]:
        for name, image in images:
            waiting.append((name, image))
            yield image
            del image  # before the next one is read

    count = 0
    for probabilities in predict_all(network, in_turn(), **options):
        name, image = waiting.pop(0)
        paths = result_paths(folder, name, kinds)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        found = write_results(paths, name, image, probabilities, network.threshold, network.split, min_area)
        if areas is not None:
            areas.append(found)
        print_line(" ".join(map(str, paths.values())))
        count += 1
        del image, probabilities  # before the next image is read
    return count
