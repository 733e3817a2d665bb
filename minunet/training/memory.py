"""About how many bytes it takes to read the images of a run and, on a CPU, to train on them; and what would fit."""

from minunet.backend import Params
from minunet.data import Dataset, Sample
from minunet.data.readers.load import planes_of
from minunet.data.readers.page_sizes import page_sizes
from minunet.network.checks import has_norm, parameter_count
from minunet.network.memory_needed import backward_bytes, check_memory, network_of, smaller_tile
from minunet.network.tiles_at_once import tiles_at_once
from minunet.prediction.memory import predict_bytes
from minunet.prediction.plan import default_tile
from minunet.training.batch import together
from minunet.training.config import Config
from minunet.training.optimisers import OPTIMISERS

SAMPLE = 5  # bytes for each pixel: at least the grey value in float32 and the label stay in memory
MEASURES = 110  # bytes for each pixel: so much the slowest of the measures takes
MAPS = 45  # bytes for each pixel while a weight map is worked out
PROCESS = 10**8  # bytes of another process that computes tiles, beside them
FIGURES = 1.5e8  # bytes, for the pictures at the end


def check_reading(data: str) -> None:
    """Raise InputError if the images of a data set cannot fit into memory; only the headers of the files are read.

    It is certain: colours may turn out to be grey, so each pixel counts for a single channel.
    """
    pages = [size for path in planes_of(data) for size in page_sizes(path)]
    if pages:
        needed = SAMPLE * sum(size.height * size.width for size in pages) + max(size.decoded for size in pages)
        check_memory(
            f"reading {data}, {len(pages)} images of up to {max(size.height for size in pages)}x"
            f"{max(size.width for size in pages)},",
            needed,
            lambda budget: "take fewer or smaller images, or close other programs",
        )


def run_bytes(config: Config, dataset: Dataset, params: Params) -> int:
    """Return how many bytes it takes to train, and to evaluate the network at the end."""
    network = network_of(params)
    copies = sum(4 * sample.image.size + 4 * sample.labels.size for sample in dataset.train)  # normalised, and weights
    arrays = OPTIMISERS[config.optimiser].state_arrays  # for each parameter; the parameters are there already
    size = together(config.batch, has_norm(params))
    at_once = tiles_at_once(params, config.tile, config.tile, with_backward=True, together=size)
    step = backward_bytes(config.tile, min(config.batch, size * at_once), config.batch // size, **network)
    step += PROCESS * (min(config.batch, at_once) - 1)
    maps = MAPS * max(sample.labels.size for sample in dataset.train)
    at_the_end = evaluation_bytes(params, dataset.validation) if dataset.validation else 0
    return copies + 4 * arrays * parameter_count(**network) + max(step, maps, at_the_end)


def evaluation_bytes(params: Params, samples: list[Sample], tile: int | None = None) -> int:
    """Return how many bytes it takes to predict and to measure samples, which are in memory already."""
    K = len(params["head"]["bias"])
    probabilities = sum(4 * K * sample.labels.size for sample in samples)
    predicting = predict_bytes(params, [sample.image.shape for sample in samples], tile, reading=False)
    measuring = MEASURES * max(sample.labels.size for sample in samples)
    return int(probabilities + max(predicting, measuring, FIGURES))


def check_evaluation(params: Params, samples: list[Sample], tile: int | None) -> None:
    """Raise InputError if an evaluation cannot fit into memory, with the largest tile that would."""
    depth = len(params["encode"])
    below = tile or max(max(default_tile(sample.labels.shape, depth)) for sample in samples)
    otherwise = "close other programs, or take fewer images"
    remedy = smaller_tile(lambda n: evaluation_bytes(params, samples, n), below, depth, otherwise)
    check_memory("the evaluation", evaluation_bytes(params, samples, tile), remedy)


def check_run(config: Config, dataset: Dataset, params: Params) -> None:
    """Raise InputError if a run on the CPU cannot fit into memory, with the largest tile that would."""
    if config.device != "cpu":
        return  # see `out_of_memory.py`
    otherwise = "try fewer base_channels, or close programs"
    remedy = smaller_tile(
        lambda n: run_bytes(config._replace(tile=n), dataset, params), config.tile, config.depth, otherwise
    )
    check_memory(f"a run with tile {config.tile}", run_bytes(config, dataset, params), remedy)
