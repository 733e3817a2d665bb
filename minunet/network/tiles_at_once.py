"""How many tiles a CPU works on at once: in a small network each core takes a tile of its own.

Cores that share a tile wait for each other in every layer. In a small network, where a layer takes a
millisecond or two, the waiting counts. So there each core takes a tile of its own, as far as memory goes. In a large
network a layer keeps all cores busy for long, and a tile needs gigabytes: there all cores share each tile.

Training takes the tiles of a batch so, in threads or in processes (`training/processes.py`), and prediction those of an
image, or of several, in threads. The results are the same, bit
for bit, however many tiles are worked on at once; only in layers that take Winograd's way along both axes they depend,
by rounding, on how many cores share a tile.
"""

import numpy as np

from minunet.backend import Params, array_module
from minunet.fast import thresholds
from minunet.fast.cpu import limits, memory, parallel
from minunet.network.memory_needed import backward_bytes, forward_bytes, network_of

SHARE = 0.5  # of the free memory, for all these tiles: the results need some, too, and other programs go on


def tiles_at_once(params: Params, height: int, width: int, with_backward: bool = False, together: int = 1) -> int:
    """Return how many input tiles of this size are worked on at once; 1 if all cores share each of them.

    Where so many go through the network together, return how many times so many.
    """
    network = network_of(params)
    is_large = network["base_channels"] * height * width > thresholds.SIDE_BY_SIDE
    if is_large or array_module(params["head"]["bias"]) is not np or parallel.threads() == 1:
        return 1
    there = limits.memory()
    if there is None:
        return parallel.threads()
    if with_backward:
        in_float32 = backward_bytes(height, together, **network)
    else:
        in_float32 = forward_bytes(height, width, together, **network)
    needed = in_float32 * params["head"]["bias"].itemsize / 4
    fitting = int(SHARE * (there.free + memory.idle_bytes()) / needed)
    return max(1, min(parallel.threads(), fitting))
