"""The pixel error on the held-out images, by the distance to the edge of the image: there a network sees less.

    python benchmarks/edge_errors.py dsb2018:DIR RUN/checkpoint.npz [RUN2/checkpoint.npz ...] [probabilities.npz ...]

For each network, and for the probabilities that `plain_unet.py` writes (`against_unet.py --keep` keeps both), a row of
a table: the share of wrong pixels in the outermost row, less than 4 pixels from the edge, and so on, over all images
together; `--without` leaves images out whose names begin so. Before them, the share of the pixels that is cell.
"""

import argparse
import itertools

import numpy as np

from minunet import load_network
from minunet.data import load_data
from minunet.errors import InputError
from minunet.prediction.predict import predict_samples

BANDS = (0, 1, 4, 16, 48)  # pixels from the edge; the last one has no end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="as for `minunet train --data`")
    parser.add_argument("files", nargs="+", help="checkpoints, and probabilities of `plain_unet.py`")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="images to leave out")
    options = parser.parse_args()
    samples = load_data(options.data).validation
    counted = [n for n, sample in enumerate(samples) if not sample.name.startswith(tuple(options.without))]
    print(f"| {len(counted)} images | {' | '.join(band(*ends) for ends in itertools.pairwise((*BANDS, None)))} | all |")
    print(f"|---|{'---|' * (len(BANDS) + 1)}")
    print_row("cells", [np.zeros(sample.labels.shape, bool) for sample in samples], samples, counted)
    for path in options.files:
        print_row(path, found(path, samples), samples, counted)


def band(low: int, high: int | None) -> str:
    return f"{low} and more" if high is None else f"{low} to {high}"


def print_row(name: str, cells: list[np.ndarray], samples: list, counted: list[int]) -> None:
    """Print the share of pixels that are wrong, if these are called cell: where none is, the share of the cells."""
    wrong, pixels = sum(wrong_by_band(cells[n], samples[n]) for n in counted)
    pairs = [*zip(wrong, pixels, strict=True), (wrong.sum(), pixels.sum())]
    shares = " | ".join(f"{part / whole:.4f}" if whole else "-" for part, whole in pairs)
    print(f"| {name} | {shares} |", flush=True)


def found(path: str, samples: list) -> list[np.ndarray]:
    """Return which pixels are called cell: by the network in the file, or by the probabilities in it."""
    try:
        network = load_network(path)
    except InputError:
        with np.load(path) as file:
            return [probabilities[1] > 0.5 for probabilities in file.values()]
    return [probabilities[1] > network.threshold for probabilities in predict_samples(network, samples)]


def wrong_by_band(cell: np.ndarray, sample) -> np.ndarray:
    """Return how many pixels of an image are wrong, and how many there are, for each band: (2, bands)."""
    H, W = cell.shape
    h, w = np.arange(H)[:, None], np.arange(W)
    distance = np.minimum(np.minimum(h, H - 1 - h), np.minimum(w, W - 1 - w))  # (H, W)
    known = np.ones((H, W), bool) if sample.known is None else sample.known
    bands = np.digitize(distance, BANDS) - 1
    wrong = (cell != (sample.labels > 0)) & known
    return np.array([np.bincount(bands[which], minlength=len(BANDS)) for which in (wrong, known)])


if __name__ == "__main__":
    main()
