"""The forward pass as prediction takes it: by a CUDA graph, where MINUNET_GRAPHS=on asks for it.

See `minunet/fast/cuda/graph.py`.
"""

import numpy as np

from minunet.backend import Array, Params, array_module
from minunet.fast.cuda.graph import replayed
from minunet.fast.environment import graphs_are_wanted
from minunet.network import unet
from minunet.network.unet import UnetCache


def unet_forward(params: Params, x: Array) -> tuple[Array, UnetCache | None]:
    """Return what the network's `unet_forward` does; by a graph no cache, and logits that the next call overwrites."""
    if array_module(x) is np or not graphs_are_wanted():
        return unet.unet_forward(params, x)
    return replayed("forward", lambda own: unet.unet_forward(params, own)[0], params, [x]), None
