"""Synthetic cells under a fluorescence microscope: the data that needs no download."""

import numpy as np

from minunet.backend import check_generator, check_whole_number
from minunet.data.sample import Dataset, Sample
from minunet.data.synthetic.microscope import light, through_the_microscope
from minunet.data.synthetic.outlines import draw_shapes, place_cells
from minunet.data.weight_maps import separate_touching

LARGEST, MOST = 2**14, 10_000  # pixels along an axis, and images in a data set


def synthetic_cells(
    rng: np.random.Generator, height: int = 256, width: int = 256, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of cells, some alone and some touching, and the truth.

    Parameters
    ----------
    count : int, optional
        How many cells to place; fewer are placed if there is no room. By default the image is well filled.

    Returns
    -------
    image : float32 array, (H, W)
        From 0 to 1.
    instances : int32 array, (H, W)
        The cells 1, 2, ...; 0 for background. Touching cells have no background between them.
    """
    check_generator(rng)
    for name, size in (("height", height), ("width", width)):
        check_whole_number(name, size, 1, "256 is usual", LARGEST)
    height, width = int(height), int(width)
    if count is None:
        count = max(2, round(height * width / 2100))
    check_whole_number("count", count, 0, "leave it out to fill the image", max(2, height * width))
    instances, nuclei = draw_shapes(rng, place_cells(rng, height, width, count), height, width)
    image = through_the_microscope(rng, light(rng, instances, nuclei))
    return image.astype(np.float32), instances


def synthetic_dataset(
    seed: int = 0, num_train: int = 24, num_validation: int = 6, height: int = 256, width: int = 256
) -> Dataset:
    """Return images of synthetic cells; a line of background separates the labels of cells that touch."""
    for name, number in (("seed", seed), ("num_train", num_train), ("num_validation", num_validation)):
        check_whole_number(name, number, 0, "leave it out for the usual one", 2**128 if name == "seed" else MOST)
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(num_train + num_validation):
        image, instances = synthetic_cells(rng, height, width)
        instances = separate_touching(instances)
        labels = (instances > 0).astype(np.uint8)
        samples.append(Sample(f"cells-{i:02d}", image[None], labels, instances))
    return Dataset("synthetic", samples[:num_train], samples[num_train:], num_classes=2)
