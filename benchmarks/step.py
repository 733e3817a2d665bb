"""Time the full U-Net (572, batch 1, float32), forward and backward: minunet, and PyTorch beside it where installed.

python benchmarks/step.py            medians of 3 rounds, in turn, each in a process of its own
python benchmarks/step.py minunet    one side only, one round
"""

import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIDES = ("minunet", "torch")
ROUNDS = 3


def minunet_step():
    """Return a function that runs one forward and one backward pass, and yields after each."""
    from minunet import init_unet, unet_backward, unet_forward

    params = init_unet(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((1, 1, 572, 572)).astype(np.float32)

    def step():
        logits, cache = unet_forward(params, x)
        yield
        unet_backward(np.ones_like(logits), cache)
        yield

    return step


def torch_step():
    """The same network and input in PyTorch, with its default layout."""
    import torch

    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import torch_unet

    from minunet import flatten, init_unet

    params = flatten(init_unet(np.random.default_rng(0)))
    params = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    x = torch.tensor(np.random.default_rng(1).standard_normal((1, 1, 572, 572)).astype(np.float32))

    def step():
        logits = torch_unet.forward(params, x)
        yield
        logits.backward(torch.ones_like(logits))
        yield

    return step


def measure(side: str) -> dict:
    """Return seconds of the forward and the backward pass of the second step, and the peak memory in MB."""
    step = {"minunet": minunet_step, "torch": torch_step}[side]()
    for _ in range(2):
        times = [time.perf_counter()]
        for _ in step():
            times.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "forward": times[1] - times[0],
        "backward": times[2] - times[1],
        "step": times[2] - times[0],
        "peak MB": peak,
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    rows = {side: [] for side in SIDES}
    for _ in range(ROUNDS):
        for side in SIDES:
            result = subprocess.run([sys.executable, __file__, side], capture_output=True, text=True)
            if result.returncode == 0:
                rows[side].append(json.loads(result.stdout))
            else:
                print(f"{side}: {result.stderr.strip().splitlines()[-1]}")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    medians = {}
    for side in SIDES:
        if rows[side]:
            medians[side] = {key: statistics.median(row[key] for row in rows[side]) for key in rows[side][0]}
            print(side, "  ".join(f"{key} {value:.2f}" for key, value in medians[side].items()))
    if len(medians) == 2:
        print(
            "ratio",
            "  ".join(f"{key} {medians['minunet'][key] / medians['torch'][key]:.2f}" for key in medians["torch"]),
        )


if __name__ == "__main__":
    main()
