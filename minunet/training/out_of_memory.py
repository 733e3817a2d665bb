"""When the GPU runs out of memory: which tile would fit.

The estimate for a training step is the sum of

    the arrays of each parameter: itself, its gradient, and what the optimiser keeps (with momentum 1, with Adam 2)
    the cache from forward to backward, see `summary.memory`
    LARGE arrays of the size of the largest output or input of a layer: what a layer works with while it runs
    the largest 3x3 kernels as Winograd's convolution transforms them or tensor cores read them, and their gradient

The optimiser gathers all gradients in one more array, but when it does the cache is gone. CuPy's pool takes up to a
third more. With the paper's network at 572 it holds 2.17 GB after two steps of momentum
(`python tests/gpu_on_cpu/run.py tests/gpu_on_cpu/test_pool.py`).

The training images are on the GPU, too. `tests/training/test_out_of_memory.py` compares the estimate with a measured
step.
"""

import contextlib

import numpy as np

from minunet.data import Dataset
from minunet.errors import InputError
from minunet.fast.cuda.loader import tile_size
from minunet.fast.plan import tensor_cores_are_taken
from minunet.gpu import gpu_memory, is_out_of_gpu_memory
from minunet.network.sizes import fits
from minunet.network.summary import layer_rows, memory
from minunet.training.batch import together
from minunet.training.config import Config, norm_of
from minunet.training.optimisers import OPTIMISERS

LARGE = {4: 8, 2: 12}  # by `tile_size`, of Winograd's convolution
LARGE_ON_TENSOR_CORES = 5
SHARE = 0.75  # of its pool that CuPy fills with arrays at most: it cannot fill every gap


@contextlib.contextmanager
def name_a_tile_that_fits(config: Config, dataset: Dataset):
    """If the GPU runs out of memory within the block, raise an InputError that says which tile would fit."""
    try:
        yield
    except MemoryError as error:
        if not is_out_of_gpu_memory(error):
            raise
        network = {
            "in_channels": dataset.train[0].image.shape[0],
            "num_classes": dataset.num_classes,
            "base_channels": config.base_channels,
            "depth": config.depth,
            "norm": norm_of(config),
            "optimiser": config.optimiser,
            "tiles": together(config.batch, config.norm != "none"),
        }
        needed, there = step_bytes(config.tile, **network) / SHARE + data_bytes(dataset), gpu_memory()
        tile = largest_tile(config.tile, int(SHARE * (there - data_bytes(dataset))), **network)
        remedy = f"--tile {tile} would fit" if tile else "no tile fits: try fewer --base-channels, or --device cpu"
        raise InputError(
            f"the GPU ran out of memory: with tile {config.tile} a run needs about {needed / 1e9:.1f} GB, "
            f"and {there / 1e9:.1f} GB are free; {remedy}"
        ) from error


def largest_tile(below: int, budget: int, depth: int, **network) -> int | None:
    """Return the largest tile under `below` whose step needs `budget` bytes at most; None if none does."""
    smaller = (n for n in range(below - 1, 0, -1) if fits(n, depth))
    return next((n for n in smaller if step_bytes(n, depth=depth, **network) <= budget), None)


def step_bytes(tile: int, optimiser: str = "sgd", tiles: int = 1, **network) -> int:
    """Return about how many bytes a training step needs, in float32, if so many tiles go through the network together.

    `optimiser` is one of OPTIMISERS; `network` as for `summary.layer_rows`.
    """
    rows = layer_rows(tile, tile, **network)
    largest = tiles * max(max(row.in_channels, row.out_channels) * row.height * row.width for row in rows)
    kernels = max(row.in_channels * row.out_channels for row in rows if row.is_3x3)
    if tensor_cores_are_taken(np.float32):
        in_a_layer = LARGE_ON_TENSOR_CORES * largest + 2 * 9 * kernels
    else:
        winograd = tile_size(np.float32)
        in_a_layer = LARGE[winograd] * largest + 2 * (winograd + 2) ** 2 * kernels
    parameters = sum(row.parameters for row in rows)
    arrays = 2 + OPTIMISERS[optimiser].state_arrays  # weight, gradient, and the optimiser's
    return 4 * arrays * parameters + tiles * memory(rows, tile, tile)["cache"] + 4 * in_a_layer


def data_bytes(dataset: Dataset) -> int:
    """Return about how many bytes the images, labels and weights of the training images take."""
    return sum(4 * sample.image.size + sample.labels.nbytes + 4 * sample.labels.size for sample in dataset.train)
