"""`minunet doctor`: print what a bug report needs, and test gradients and speed for some seconds."""

import argparse
import time

import numpy as np

from minunet.cli.bench import minunet_side
from minunet.cli.gradcheck_cases import cases
from minunet.cli.machine import facts, hints, in_one_line
from minunet.gradcheck.check import gradcheck
from minunet.training.config import Config

EXAMPLE = "minunet doctor"
PRODUCT = 1024  # rows and columns of the matrices of the speed test
SLOW = 5e9  # operations in a second: a core of the last ten years multiplies matrices several times as fast
ROUNDS = 3


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument("--no-test", action="store_true", help="only print the facts")


def run(options) -> int:
    """Print facts, the tests' results and hints, a line each; return 1 if a gradient is wrong or a test fails."""
    for name, fact in facts():
        print(f"{name:<14}{fact}")
    if options.no_test:
        return 0
    print()
    ok = True
    slow: list[str] = []
    for name, test in (("gradients", gradients), ("speed", speed)):
        try:
            passed, line, found = test()
        except Exception as error:  # a broken installation may fail in any way, and the rest is still worth knowing
            passed, line, found = False, f"the test failed: {in_one_line(error)}", []
        print(f"{name:<14}{line}", flush=True)
        ok, slow = ok and passed, slow + found
    for hint in [*hints(), *slow]:
        print(f"{'hint':<14}{hint}")
    print(f"{'verdict':<14}{'all is well' if ok else 'something is wrong: send these lines with your report'}")
    return 0 if ok else 1


def gradients() -> tuple[bool, str, list[str]]:
    """Check the gradients of every layer and a small U-Net; return whether all are right, a line, and no hints."""
    began = time.perf_counter()
    wrong = [name for name, case in cases().items() if not gradcheck(*case)]
    seconds = time.perf_counter() - began
    if wrong:
        return False, f"WRONG in {', '.join(wrong)}; minunet gradcheck {wrong[0]} says where", []
    return True, f"right in all of {', '.join(cases())}, {seconds:.1f} s", []


def speed() -> tuple[bool, str, list[str]]:
    """Time a product of matrices and a step of the default network; return True, a line, and hints."""
    product = _fastest([minunet_side.product(PRODUCT, "cpu")])
    rate = 2 * PRODUCT**3 / product
    config = Config()
    network = {
        "height": config.tile,
        "width": config.tile,
        "base_channels": config.base_channels,
        "depth": config.depth,
    }
    step = _fastest(minunet_side.step_passes(network, "cpu"))
    line = f"{rate / 1e9:.0f} GFLOP/s in a product of matrices, {step:.2f} s for a step of minunet train"
    if rate > SLOW:
        return True, line, []
    return (
        True,
        line,
        [f"a product of matrices is slow, below {SLOW / 1e9:.0f} GFLOP/s: is the machine busy, or BLAS old?"],
    )


def _fastest(passes: list) -> float:
    """Return the least of several times, in seconds, for all passes in turn, after one round to warm up."""
    times = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        for run_pass in passes:
            run_pass()
        times.append(time.perf_counter() - began)
    return float(np.min(times[1:]))
