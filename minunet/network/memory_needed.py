"""About how many bytes the network takes on a CPU, worked out from shapes before it runs, and whether they are free.

Forward, all that the backward pass would need is kept (see `summary.memory`), and one layer at a time works on bands of
rows and on copies of its kernels. Backward, the gradients of the parameters and some arrays of the size of the largest
output come on top. `tests/network/test_memory_needed.py` compares both with measured peaks.
"""

from collections.abc import Callable
from typing import Any

from minunet.backend import Params
from minunet.errors import InputError
from minunet.fast.cpu import limits, parallel
from minunet.fast.cpu import memory as kept
from minunet.network.checks import has_norm
from minunet.network.sizes import fits, output_size
from minunet.network.summary import layer_rows, memory

BANDS = 4e6  # bytes of each thread, and as many for all; backward twice that
IDLE_FORWARD, IDLE_BACKWARD = 0.25, 0.6  # of what a pass needs, measured
SHARE = 0.9  # of the free memory: the estimate is not exact, and other programs go on


def network_of(params: Params) -> dict[str, Any]:
    """Return the arguments with which `init_unet` has made the parameters."""
    base_channels, in_channels = params["encode"][0]["conv1"]["weight"].shape[:2]
    return {
        "in_channels": in_channels,
        "num_classes": len(params["head"]["bias"]),
        "base_channels": base_channels,
        "depth": len(params["encode"]),
        "norm": "batch" if has_norm(params) else None,
    }


def forward_bytes(height: int, width: int, **network: Any) -> int:
    """Return how many bytes it takes to predict one input tile, in float32; `network` as for `init_unet`."""
    rows = layer_rows(height, width, **network)
    bands = min(BANDS * (1 + parallel.threads()), 3 * _largest_output(rows))
    logits = rows[-1].out_channels * rows[-1].height * rows[-1].width
    largest_weight = max(row.parameters for row in rows)
    return _with_idle(memory(rows, height, width)["cache"] + bands + 4 * largest_weight + 4 * 4 * logits, IDLE_FORWARD)


def backward_bytes(tile: int, **network: Any) -> int:
    """Return how many bytes a training step takes in float32, parameters and the optimiser's arrays not counted."""
    rows = layer_rows(tile, tile, **network)
    largest = _largest_output(rows)
    bands = min(2 * BANDS * (1 + parallel.threads()), 5 * largest)
    parameters = sum(row.parameters for row in rows)
    return _with_idle(memory(rows, tile, tile)["cache"] + 2 * 4 * parameters + 3 * largest + bands, IDLE_BACKWARD)


def _with_idle(needed: float, share: float) -> int:
    """Add what lies idle in between, until an array of its size comes; see `fast/cpu/memory.py`."""
    return int(needed + min(share * needed, kept.AT_MOST))


def _largest_output(rows: list) -> int:
    """Return the bytes of the largest output or input of a layer."""
    return 4 * max(max(row.in_channels, row.out_channels) * row.height * row.width for row in rows)


def check_memory(what: str, needed: float, remedy: Callable[[float], str]) -> None:
    """Raise InputError if `needed` bytes are not free; ``remedy(budget)`` says what would fit into `budget` bytes.

    What earlier work of this process has left counts as free. Where the system does not say how much is free, nothing
    happens.
    """
    there = limits.memory()
    if there is None or needed <= SHARE * there.free:
        return
    free = there.free + kept.freed_bytes()
    if needed > SHARE * free:
        raise InputError(
            f"{what} needs about {in_gb(needed)} of memory, and {in_gb(free)} are free; " + remedy(SHARE * free)
        )


def smaller_tile(bytes_of: Callable[[int], float], below: int, depth: int, otherwise: str) -> Callable[[float], str]:
    """Return a remedy for `check_memory`: it names the largest tile that fits or, if none does, says `otherwise`.

    "tile=148" becomes "--tile 148" on the command line.
    """

    def remedy(budget: float) -> str:
        fitting = largest_tile_within(budget, below, depth, bytes_of)
        return f"tile={fitting} would fit" if fitting else f"no tile fits: {otherwise}"

    return remedy


def largest_tile_within(budget: float, below: int, depth: int, bytes_of: Callable[[int], float]) -> int | None:
    """Return the largest tile under `below` that fits `depth` and for which ``bytes_of(tile)`` is within the budget."""
    smaller = (n for n in range(below - 1, 0, -1) if fits(n, depth) and output_size(n, depth) >= 2**depth)
    return next((n for n in smaller if bytes_of(n) <= budget), None)


def in_gb(count: float) -> str:
    """Return bytes in words, such as 1.5 GB."""
    return f"{max(count, 1e8) / 1e9:.1f} GB"
