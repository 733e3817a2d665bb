"""Print how each convolution of a U-Net is computed on this machine's CPU, before anything runs.

    python -m minunet.network.plan_table [INPUT [BASE_CHANNELS [DEPTH]]]

The plans depend on shapes and on the number of cores; `minunet/fast/plan.py` explains them.
"""

import sys
from typing import Any

from minunet.fast.cpu.parallel import threads
from minunet.fast.plan import Plan
from minunet.network.plans import plans


def plan_table(height: int = 572, width: int = 572, **network: Any) -> str:
    """Return the table for an input of this size, by default that of Fig. 1; `network` as for `layer_rows`."""
    lines = [f"{'layer':<16} {'kernel':<6} {'channels':>12} {'output':>9}  {'forward':<30} backward"]
    for row, *both in plans(height, width, **network):
        kernel = "3x3" if row.is_3x3 else "1x1"
        forward, backward = map(_in_words, both)
        channels, size = f"{row.in_channels} -> {row.out_channels}", f"{row.height}x{row.width}"
        lines.append(f"{row.name:<16} {kernel}    {channels:>12} {size:>9}  {forward:<30} {backward}")
    count = threads()
    return "\n".join([*lines, f"shared by {count} {'thread' if count == 1 else 'threads'}"])


def _in_words(chosen: Plan) -> str:
    return f"{chosen.way}, {chosen.split}"


if __name__ == "__main__":
    size, base_channels, depth = [*map(int, sys.argv[1:]), *(572, 64, 4)[len(sys.argv) - 1 :]]
    print(plan_table(size, size, base_channels=base_channels, depth=depth))
