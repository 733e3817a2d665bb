"""Train `cells.npz`, the network that comes with minunet, and measure it on images that it has not seen.

    python benchmarks/bundled_network.py FOLDER --minutes 20 --out cells.npz
    python benchmarks/bundled_network.py FOLDER --measure cells.npz

The second command trains nothing. FOLDER holds images of nuclei (BBBC038, CC0): dsb2018, nuclei/grey256, nuclei/grey
and nuclei/colour, in the layout of `minunet train --data dsb2018:DIR`. The last fifth of each, by name, is held out.
Colour images are read as grey. To these come the 24 synthetic images that `minunet train` trains on. One network sees
all of them, each kind as often as it has images, and colour three times as often, so that it is not lost among the
others. How touching cells are told apart is chosen on the held-out images of both, real and synthetic.
"""

import argparse
from pathlib import Path

from minunet.data import Dataset, Sample, load_data
from minunet.data.colours import for_channels
from minunet.metrics.chosen_split import choose_split
from minunet.metrics.chosen_threshold import choose_threshold
from minunet.metrics.evaluation import evaluate
from minunet.network.trained import Network, load_network, save_checkpoint
from minunet.prediction.predict import predict_samples
from minunet.training.config import resolve
from minunet.training.progress_bar import with_progress_bar
from minunet.training.train import start, train_steps

KINDS = ("dsb2018", "nuclei/grey256", "nuclei/grey", "nuclei/colour")
TIMES = {"nuclei/colour": 3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", default="auto")
    to_do = parser.add_mutually_exclusive_group(required=True)
    to_do.add_argument("--out", type=Path, help="train a network, write it there and measure it")
    to_do.add_argument("--measure", type=Path, metavar="CHECKPOINT", help="measure this network")
    options = parser.parse_args()
    kinds = {kind: in_grey(load_data(f"dsb2018:{options.folder / kind}", hold_out=0.2)) for kind in KINDS}
    if options.out:
        train(kinds, options)
    network = load_network(options.out or options.measure)
    for kind, samples in {**{kind: data.validation for kind, data in kinds.items()}, "all": held_out_of(kinds)}.items():
        probabilities = predict_samples(network, samples)
        measured = evaluate(samples, probabilities, threshold=network.threshold, split=network.split)
        words = "  ".join(
            f"{name} {measured[name]:.4f}" for name in ("pixel_error", "majority_pixel_error", "iou", "v_rand", "seg")
        )
        print(f"{kind}, {len(samples)} images: {words}", flush=True)


def train(kinds: dict[str, Dataset], options) -> None:
    """Train a network on the images of all kinds, and write it with what suits the held-out ones."""
    images = [sample for kind, data in kinds.items() for sample in TIMES.get(kind, 1) * data.train]
    held_out = held_out_of(kinds)
    dataset = Dataset("nuclei", [*images, *load_data("synthetic").train], held_out, 2)
    config = resolve(
        {
            "data": "synthetic",  # what `minunet evaluate` measures it on, where no other data are named
            "minutes": options.minutes,
            "seed": options.seed,
            "normalisation": "image",
            "weights": options.weights,
        }
    )
    run = start(config, dataset)
    for _ in with_progress_bar(run, train_steps(run, dataset._replace(validation=[])), True):
        pass
    network = with_choices(run.network, held_out)
    save_checkpoint(options.out, network, run.config._asdict())
    print(f"{len(run.history)} steps on {len(dataset.train)} images")


def with_choices(network: Network, held_out: list[Sample]) -> Network:
    """Return the network with the threshold and the split that suit images which it has not seen."""
    threshold = choose_threshold(held_out, predict_samples(network, held_out))
    both = [*held_out, *load_data("synthetic").validation]
    split = choose_split(both, predict_samples(network, both), threshold.threshold)
    print(threshold.in_words("held-out images"), split.in_words("these and synthetic ones"), sep="\n")
    return network._replace(threshold=threshold.threshold, split=split.split)


def held_out_of(kinds: dict[str, Dataset]) -> list[Sample]:
    return [sample for data in kinds.values() for sample in data.validation]


def in_grey(data: Dataset) -> Dataset:
    train, validation = (
        [sample._replace(image=for_channels(sample.image, 1)) for sample in part]
        for part in (data.train, data.validation)
    )
    return data._replace(train=train, validation=validation)


if __name__ == "__main__":
    main()
