"""Train with momentum, with Adam, and with momentum and one thing else; print a table.

    OPENBLAS_NUM_THREADS=1 python benchmarks/recipe.py > benchmarks/results/recipe.md
    OPENBLAS_NUM_THREADS=1 python benchmarks/recipe.py --data isbi:DIR --seeds 0 --only momentum elastic

The networks have no batch normalisation, and what the loss weights do to the probabilities is not taken back: minunet
did neither when the table was made.

All runs have the same number of steps, and for one seed the same data and first weights. The numbers are means over the
seeds, on held-out images. Runs are not timed: the steps of all variations cost the same, but for the elastic ones'
tiles, which are drawn in the background.
"""

import argparse
import math
import statistics

from tqdm import tqdm

from minunet.data import AUGMENTATIONS, Augmentation, load_data
from minunet.metrics.evaluation import evaluate
from minunet.prediction.predict import predict_samples
from minunet.training.config import STEPS, Config
from minunet.training.train import WARM_UP, learning_rate, start, train_steps

AUGMENTATIONS["half elastic"] = Augmentation(elastic=5.0, gain=0.05, offset=0.05)
AUGMENTATIONS["symmetries, grey values"] = Augmentation(elastic=0.0, rotation=False)

MOMENTUM = {"batch": 1, "optimiser": "sgd", "norm": "none", "correction": "none"}
VARIATIONS = {  # name: what differs from MOMENTUM and the defaults of Config, and the learning rate's schedule
    "momentum": {},
    "learning rate 0.01": {"learning_rate": 0.01},
    "learning rate 0.1": {"learning_rate": 0.1},
    "momentum 0.97, learning rate 0.01": {"momentum": 0.97, "learning_rate": 0.01},
    "momentum 0.99, learning rate 0.003": {"momentum": 0.99, "learning_rate": 0.003},
    "Adam, learning rate 0.0003": {"optimiser": "adam", "learning_rate": 0.0003},
    "Adam, learning rate 0.001": {"optimiser": "adam", "learning_rate": 0.001},
    "Adam, learning rate 0.003": {"optimiser": "adam", "learning_rate": 0.003},
    "constant learning rate": {"schedule": "constant"},
    "a tenth of it in the last third": {"schedule": "step"},
    "plain He weights": {"init": "he"},
    "elastic": {"augmentation": "elastic"},
    "half elastic": {"augmentation": "half elastic"},
    "symmetries, grey values": {"augmentation": "symmetries, grey values"},
    "loss weights: none": {"weights": "none"},
    "loss weights: weight map": {"weights": "map"},
    "loss weights: border term": {"weights": "border"},
}


def constant(config: Config, step: int, done: float) -> float:
    return config.learning_rate * min(1.0, (step + 1) / WARM_UP)


def tenth_in_the_last_third(config: Config, step: int, done: float) -> float:
    return constant(config, step, done) * (1 if done < 2 / 3 else 0.1)


SCHEDULES = {"cosine": learning_rate, "constant": constant, "step": tenth_in_the_last_third}
MEASURES = ("pixel_error", "iou", "v_rand", "seg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", metavar="VARIATION", choices=VARIATIONS, nargs="+", default=list(VARIATIONS))
    options = parser.parse_args()
    columns = (*MEASURES, "best pixel_error", "best v_rand")
    print(f"`{options.data.partition(':')[0]}`, {options.steps} steps, mean over seeds {options.seeds}\n")
    print(f"| | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for name in tqdm(options.only, unit="variation"):
        rows = [measure(options.data, options.steps, seed, **VARIATIONS[name]) for seed in options.seeds]
        means = [statistics.fmean(row.get(column, math.nan) for row in rows) for column in columns]
        print(f"| {name} | {' | '.join(f'{value:.4f}' for value in means)} |", flush=True)


def measure(data: str, steps: int, seed: int, schedule: str = "cosine", **changes) -> dict:
    """Train once; return the measures, and the best over thresholds of two of them."""
    config = Config(data=data, steps=steps, seed=seed)._replace(**MOMENTUM)._replace(**changes)
    dataset = load_data(data, seed)
    run = start(config, dataset)
    for _ in train_steps(run, dataset, schedule=SCHEDULES[schedule]):
        pass
    evaluation = evaluate(dataset.validation, predict_samples(run.network, dataset.validation))
    best = {f"best {name}": score["score"] for name, score in evaluation["best_over_thresholds"].items()}
    return {**evaluation, **best}


if __name__ == "__main__":
    main()
