"""Where the time of a training step of the default network goes, by groups of layers.

    OPENBLAS_NUM_THREADS=1 python benchmarks/step_profile.py [--norm batch] [--steps 40]

One tile, one thread, as from a notebook; milliseconds of the processor, medians over the steps. With
PYTHONPATH=FOLDER it is the step of another version, which lies in FOLDER. At last, how much of a forward pass are the
products of matrices: less time than these no rearrangement of the rest can take.
"""

import argparse
import time
from collections import defaultdict

import numpy as np

import minunet
from minunet.fast import layers
from minunet.network import unet

try:
    from minunet.training.optimiser_step import take_step
except ImportError:  # an older version, whose training takes the readable step

    def take_step(name, *args):
        minunet.adam_step(*args)


CONVOLUTIONS = ("conv2d_relu", "conv2d_norm_relu")  # those of 3x3, with what follows them
GROUPS = {"max_pool": "max-pool", "up_conv": "up-convolution", "crop_concat": "crop and concatenate", "conv2d": "head"}
BASE_CHANNELS, DEPTH, TILE = 16, 3, 220
STEPS_BEFORE = 3  # which are not counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norm", choices=("none", "batch"), default="none")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    spent: dict[str, float] = defaultdict(float)
    for name in (*CONVOLUTIONS, *GROUPS):
        for way in ("forward", "backward"):
            if hasattr(unet, f"{name}_{way}"):
                setattr(unet, f"{name}_{way}", timed(getattr(unet, f"{name}_{way}"), name, way, spent))
    step, steps = training_step(options.norm, spent), []
    for _ in range(STEPS_BEFORE + options.steps):
        spent.clear()
        began = time.process_time()
        step()
        all_of_it = time.process_time() - began
        steps.append({**spent, "the rest": all_of_it - sum(spent.values()), "all of it": all_of_it})
    for group in sorted(steps[-1], key=order):
        print(f"{group:<44}{1e3 * np.median([row[group] for row in steps[STEPS_BEFORE:]]):>8.2f} ms")
    whole, products = np.median(products_of_forward(options.norm, options.steps), axis=0)
    print(f"a forward pass takes {1e3 * whole:.1f} ms, the products of matrices in it {1e3 * products:.1f} ms")


def products_of_forward(norm: str, steps: int) -> list[tuple[float, float]]:
    """Return the seconds of forward passes, and of the products of matrices in each."""
    rng, spent, matmul = np.random.default_rng(0), [0.0], np.matmul
    params = minunet.init_unet(rng, base_channels=BASE_CHANNELS, depth=DEPTH, **norm_of(norm))
    x = rng.standard_normal((1, 1, TILE, TILE)).astype(np.float32)

    def with_clock(*args, **options):
        began = time.process_time()
        result = matmul(*args, **options)
        spent[0] += time.process_time() - began
        return result

    times = []
    np.matmul = with_clock
    for _ in range(STEPS_BEFORE + steps):
        spent[0], began = 0.0, time.process_time()
        unet.unet_forward(params, x)
        times.append((time.process_time() - began, spent[0]))
    np.matmul = matmul
    return times[STEPS_BEFORE:]


def norm_of(norm: str) -> dict[str, str]:
    return {} if norm == "none" else {"norm": norm}  # older versions have none


def timed(function, name: str, way: str, spent: dict[str, float]):
    """Return the function, which now adds the time of each call to that of its group."""

    def with_clock(*args, **options):
        began = time.process_time()
        result = function(*args, **options)
        spent[group_of(name, way, args, options)] += time.process_time() - began
        return result

    return with_clock


def group_of(name: str, way: str, args: tuple, options: dict) -> str:
    if name not in CONVOLUTIONS:
        return f"{GROUPS[name]}, {way}"
    if way == "forward":
        weight = options["weight"]
    else:
        weight = args[1][0].weight  # of the convolution's cache
    F, C = weight.shape[:2]
    return f"3x3, {'first layer' if C == 1 else f'{F} kernels'}, {way}"


def order(group: str) -> tuple:
    """Sort the groups as they come in the network, and the sum to the end."""
    number = next((int(word) for word in group.split() if word.isdigit()), 0)
    return group == "all of it", group == "the rest", not group.startswith("3x3"), "backward" in group, number, group


def training_step(norm: str, spent: dict[str, float]):
    """Return a function that makes a step with one tile of random numbers."""
    rng = np.random.default_rng(0)
    params = minunet.init_unet(rng, base_channels=BASE_CHANNELS, depth=DEPTH, **norm_of(norm))
    moments, output = minunet.init_moments(params), minunet.output_size(TILE, DEPTH)
    x = rng.standard_normal((1, 1, TILE, TILE)).astype(np.float32)
    labels = rng.integers(0, 2, (1, output, output))
    weights = rng.random((1, output, output), np.float32)

    def step():
        logits, cache = unet.unet_forward(params, x)
        began = time.process_time()
        _, loss_cache = layers.softmax_cross_entropy_forward(logits, labels, weights)
        dlogits = layers.softmax_cross_entropy_backward(np.ones((), np.float32), loss_cache)
        spent["loss"] += time.process_time() - began
        grads = unet.unet_backward(dlogits, cache)
        began = time.process_time()
        take_step("adam", params, grads, moments, 1e-4, 0.9, 1)
        spent["Adam"] += time.process_time() - began

    return step


if __name__ == "__main__":
    main()
