"""Time a training step with memory that is kept and without, each in a process of its own.

python benchmarks/memory.py          the default network and the full one, in turn, medians of 3
"""

import json
import resource
import statistics
import subprocess
import sys
import time

from minunet.cli.bench.minunet_side import step_passes
from minunet.fast.cpu import memory

NETWORKS = {
    "default": {"height": 220, "width": 220, "base_channels": 16, "depth": 3},
    "full": {"height": 572, "width": 572, "base_channels": 64, "depth": 4},
}
ROUNDS = 3


def step_seconds(network: str, keep: bool) -> dict[str, float]:
    """Return the seconds of the second step, and of them those that the operating system took."""
    if not keep:
        memory.SMALLEST = 2**62  # bytes: every array is smaller, and so left to NumPy
    passes = step_passes(NETWORKS[network], "cpu")
    for _ in range(2):
        began, system = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_stime
        for run in passes:
            run()
    return {
        "seconds": time.perf_counter() - began,
        "of the system": resource.getrusage(resource.RUSAGE_SELF).ru_stime - system,
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(step_seconds(sys.argv[1], keep=sys.argv[2] == "keep")))
        return
    for network in NETWORKS:
        rows = {"keep": [], "give back": []}
        for _ in range(ROUNDS):
            for way, measured in rows.items():
                command = [sys.executable, __file__, network, way]
                measured.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        for way, measured in rows.items():
            medians = {name: statistics.median(row[name] for row in measured) for name in measured[0]}
            print(f"{network:<8}{way:<10}", "  ".join(f"{name} {value:.3f}" for name, value in medians.items()))


if __name__ == "__main__":
    main()
