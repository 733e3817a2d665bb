"""Time a training step of the full network with and without `keep_freed_memory`, each in a process of its own.

python benchmarks/memory.py          in turn, medians of 3
"""

import json
import resource
import statistics
import subprocess
import sys
import time

from minunet.cli.bench.minunet_side import step_passes
from minunet.fast.cpu.memory import keep_freed_memory

NETWORK = {"height": 572, "width": 572, "base_channels": 64, "depth": 4}
ROUNDS = 3


def step_seconds(keep: bool) -> dict[str, float]:
    """Return the seconds of the second step, and of them those that the operating system took."""
    if keep:
        keep_freed_memory()
    passes = step_passes(NETWORK, "cpu")
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
        print(json.dumps(step_seconds(sys.argv[1] == "keep")))
        return
    rows = {"keep": [], "give back": []}
    for _ in range(ROUNDS):
        for way, measured in rows.items():
            done = subprocess.run([sys.executable, __file__, way], capture_output=True, text=True, check=True)
            measured.append(json.loads(done.stdout))
    for way, measured in rows.items():
        medians = {name: statistics.median(row[name] for row in measured) for name in measured[0]}
        print(f"{way:<10}", "  ".join(f"{name} {value:.2f}" for name, value in medians.items()))


if __name__ == "__main__":
    main()
