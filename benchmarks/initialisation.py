"""Train a network with momentum from plain and from centred He weights (minunet/network/initialise.py), at two rates.

    python benchmarks/initialisation.py --data isbi:DIR --steps 1000

Prints the pixel error on held-out images along each run: the runs differ in nothing else, not even in the tiles.
"""

import argparse

from minunet.data import load_data
from minunet.training.config import Config
from minunet.training.train import start, train_steps

LEARNING_RATES = (0.01, 0.03)
FIXED = {"batch": 1, "optimiser": "sgd", "norm": "none"}  # batch normalisation would undo what the first weights do


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = load_data(options.data, options.seed)
    for learning_rate in LEARNING_RATES:
        for init in ("he", "centred"):
            config = Config(**vars(options), **FIXED, learning_rate=learning_rate, init=init)
            history = train_steps(start(config, dataset), dataset)
            errors = [row["validation_error"] for row in history if "validation_error" in row]
            print(f"{init:8} {learning_rate:.2f}  " + " ".join(f"{error:.4f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
