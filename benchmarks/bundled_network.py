"""Train `cells.npz`, the network that comes with minunet, and measure it on images that it has not seen.

    python benchmarks/bundled_network.py FOLDER --minutes 20 --out cells.npz

FOLDER holds images of nuclei (BBBC038, CC0): dsb2018, nuclei/grey256, nuclei/grey and nuclei/colour, in the layout of
`minunet train --data dsb2018:DIR`. The last fifth of each, by name, is held out. Colour images are read as grey. To
these come the 24 synthetic images that `minunet train` trains on. One network sees all of them, each kind as often as
it has images, and colour three times as often, so that it is not lost among the others.
"""

import argparse
from pathlib import Path

from minunet.data import Dataset, load_data
from minunet.data.colours import for_channels
from minunet.metrics.chosen_threshold import choose_threshold
from minunet.metrics.evaluation import evaluate
from minunet.network.trained import save_checkpoint
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
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    kinds = {kind: in_grey(load_data(f"dsb2018:{options.folder / kind}", hold_out=0.2)) for kind in KINDS}
    train = [sample for kind, data in kinds.items() for sample in TIMES.get(kind, 1) * data.train]
    held_out = [sample for data in kinds.values() for sample in data.validation]
    dataset = Dataset("nuclei", [*train, *load_data("synthetic").train], held_out, 2)
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
    choice = choose_threshold(held_out, predict_samples(run.network, held_out))
    network = run._replace(threshold=choice.threshold).network
    save_checkpoint(options.out, network, run.config._asdict())
    print(f"{len(run.history)} steps on {len(dataset.train)} images; {choice.in_words('held-out images')}")
    for kind, data in {**kinds, "all": dataset}.items():
        measured = evaluate(
            data.validation, predict_samples(network, data.validation), threshold=network.threshold, progress=False
        )
        words = "  ".join(
            f"{name} {measured[name]:.4f}" for name in ("pixel_error", "majority_pixel_error", "iou", "v_rand", "seg")
        )
        print(f"{kind}, {len(data.validation)} images: {words}", flush=True)


def in_grey(data: Dataset) -> Dataset:
    train, validation = (
        [sample._replace(image=for_channels(sample.image, 1)) for sample in part]
        for part in (data.train, data.validation)
    )
    return data._replace(train=train, validation=validation)


if __name__ == "__main__":
    main()
