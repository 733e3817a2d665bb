"""Train the same network from plain and from centred He weights (see minunet/init.py), at two learning rates.

    python benchmarks/initialisation.py --data isbi:DIR --steps 1200

Prints the pixel error on held-out images along each run: the runs differ in nothing else, not even in the tiles.
"""

import argparse
import math

import numpy as np

from minunet import flatten
from minunet.data import load_data
from minunet.train import Config, start, train_steps

LEARNING_RATES = (0.01, 0.03)


def make_plain(params: dict, rng: np.random.Generator) -> None:
    """Give each neuron the random mean back that centring took, in place: independent Gaussian weights again."""
    for name, weight in flatten(params).items():
        if name.endswith("weight"):
            incoming = (0,) if ".up." in name else (1, 2, 3)
            N = math.prod(weight.shape[axis] for axis in incoming)
            mean = math.sqrt(2) / N * rng.standard_normal(weight.mean(axis=incoming, keepdims=True).shape)
            weight *= math.sqrt((N - 1) / N)
            weight += mean.astype(weight.dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = load_data(options.data, options.seed)
    for learning_rate in LEARNING_RATES:
        for kind in ("plain", "centred"):
            config = Config(data=options.data, steps=options.steps, seed=options.seed, learning_rate=learning_rate)
            run = start(config, dataset)
            if kind == "plain":
                make_plain(run.params, np.random.default_rng(options.seed + 1))
            errors = [row["validation_error"] for row in train_steps(run, dataset) if "validation_error" in row]
            print(f"{kind:8} {learning_rate:.2f}  " + " ".join(f"{error:.3f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
